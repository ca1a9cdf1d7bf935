"""Lower precision, and batches: what may change the last digits, and by how much."""

import numpy as np
import pytest
import torch

from pipeline.clip.text import class_features
from pipeline.ovseg import OVSeg
from pipeline.ovseg.clip_branch import RegionStyle, cut_regions, region_logits
from pipeline.precision import in_precision
from pipeline.segmenter.propose import propose
from tests.ovseg.tiny import tiny_clip, tiny_segmenter

NAMES = ["cat", "dog", "grass"]
IMAGES = np.random.default_rng(3).integers(0, 256, (3, 40, 50, 3), dtype=np.uint8)
STYLE = RegionStyle(threshold=0.5)
BATCH_TOLERANCE = 1e-5


def pictures() -> list[torch.Tensor]:
    return [torch.from_numpy(image).permute(2, 0, 1) for image in IMAGES]


@pytest.mark.parametrize("precision", ["bfloat16", "float16"])
def test_lower_precision_stays_near_and_ends_in_float32(precision):
    segmenter, clip = tiny_segmenter(), tiny_clip(prompt_depth=2)
    exact = OVSeg(segmenter, clip, style=STYLE).look(IMAGES[0], NAMES)
    near = OVSeg(segmenter, clip, style=STYLE, precision=precision).look(IMAGES[0], NAMES)
    for name in ("masks", "segmenter", "clip"):
        ours, reference = getattr(near, name), getattr(exact, name)
        assert ours.dtype == torch.float32
        assert not torch.equal(ours, reference)
    torch.testing.assert_close(near.masks, exact.masks, atol=0.05, rtol=0)


def test_float32_is_the_default_and_the_reference():
    assert OVSeg(tiny_segmenter(), tiny_clip()).precision == "float32"
    with in_precision(torch.device("cpu"), "float32"):
        assert not torch.is_autocast_enabled("cpu")
    with pytest.raises(ValueError, match="'int8'; expected one of float32, bfloat16, float16"):
        in_precision(torch.device("cpu"), "int8")


@torch.inference_mode()
def test_pictures_together_are_as_alone():
    segmenter, text = tiny_segmenter(), class_features(tiny_clip(), NAMES)
    together = propose(segmenter, pictures(), text)
    for found, image in zip(together, pictures(), strict=True):
        [alone] = propose(segmenter, [image], text)
        torch.testing.assert_close(found.masks, alone.masks, atol=BATCH_TOLERANCE, rtol=0)
        torch.testing.assert_close(found.classes, alone.classes, atol=BATCH_TOLERANCE, rtol=0)


@torch.inference_mode()
@pytest.mark.parametrize("batch", [1, 2, 5, 100])
def test_regions_together_are_as_alone(batch):
    clip = tiny_clip(prompt_depth=2)
    text = class_features(clip, NAMES)
    masks = torch.rand(4, 40, 50, generator=torch.Generator().manual_seed(0))
    regions = [cut_regions(clip, image, masks, STYLE) for image in pictures()]
    reference = region_logits(clip, regions, text, batch=3)
    logits = region_logits(clip, regions, text, batch=batch)
    for ours, expected in zip(logits, reference, strict=True):
        ours, expected = ours.softmax(-1), expected.softmax(-1)
        torch.testing.assert_close(ours, expected, atol=BATCH_TOLERANCE, rtol=0)


def test_names_together_are_as_alone():
    clip = tiny_clip()
    together = class_features(clip, NAMES + ["a name of many more words than these"])
    alone = torch.cat([class_features(clip, [name]) for name in NAMES])
    torch.testing.assert_close(together[:3], alone, atol=BATCH_TOLERANCE, rtol=0)
