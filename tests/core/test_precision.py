"""Lower precision, and batches: what may change the last digits, and by how much."""

from pathlib import Path

import numpy as np
import pytest
import torch

from pipeline.clip.encode import encode_regions
from pipeline.clip.store import build_from_config
from pipeline.clip.text import class_features
from pipeline.clip.tower import MaskClip
from pipeline.clip.view import RegionView
from pipeline.core.precision import in_precision
from pipeline.maskformer.config import ResNetConfig
from pipeline.maskformer.maskformer import MaskFormer
from pipeline.maskformer.masks import MaskChoice
from pipeline.maskformer.propose import propose
from pipeline.ovseg import OVSeg
from pipeline.ovseg.ensemble import cosine_logits
from tests.ovseg.tiny import look, tiny_clip, tiny_segmenter
from tests.segmenter.tiny import config, swin

NAMES = ["cat", "dog", "grass"]
IMAGES = np.random.default_rng(3).integers(0, 256, (3, 40, 50, 3), dtype=np.uint8)
STYLE = RegionView(threshold=0.5)
BATCH_TOLERANCE = 1e-5
CPUINFO = Path("/proc/cpuinfo")
SAME_BITS = (
    CPUINFO.is_file()
    and "GenuineIntel" in CPUINFO.read_text()
    and torch.backends.cpu.get_cpu_capability() in ("AVX2", "AVX512")
)
"""MKL's strict mode (`pipeline/__init__.py`) is for Intel's processors with AVX2 and later."""


def pictures(size: tuple[int, int] = (40, 50), count: int = 3) -> list[torch.Tensor]:
    generator = torch.Generator().manual_seed(3)
    shape = (count, 3, *size)
    return list(torch.randint(0, 256, shape, generator=generator, dtype=torch.uint8))


def dilated() -> ResNetConfig:
    """As the published R-101c, narrower: convolutions of which oneDNN has most kernels."""
    return ResNetConfig(depth=50, stem_channels=16, res2_channels=64, bottleneck_channels=16)


def random_clip(vision: dict[str, int], text: dict[str, int]) -> MaskClip:
    torch.manual_seed(7)
    vision = {"image_size": 32, "layers": 1, "width": 16, "head_width": 8, "patch_size": 8} | vision
    text = {"context_length": 77, "vocab_size": 49408, "width": 16, "heads": 2, "layers": 1} | text
    return build_from_config({"embed_dim": 512, "vision_cfg": vision, "text_cfg": text}).eval()


def as_wide_as_vit_b() -> MaskClip:
    """Two blocks of ViT-B's width: sums of 3072 products, which MKL likes to cut in pieces."""
    return random_clip({"layers": 2, "width": 768, "head_width": 64}, {})


@pytest.mark.parametrize("precision", ["bfloat16", "float16"])
def test_lower_precision_stays_near_and_ends_in_float32(precision):
    segmenter, clip = tiny_segmenter(), tiny_clip(prompt_depth=2)
    exact = look(OVSeg(segmenter, clip, view=STYLE), IMAGES[0], NAMES)
    near = look(OVSeg(segmenter, clip, view=STYLE, precision=precision), IMAGES[0], NAMES)
    for name in ("masks", "segmenter", "clip"):
        ours, reference = getattr(near, name), getattr(exact, name)
        assert ours.dtype == torch.float32
        assert not torch.equal(ours, reference)
    torch.testing.assert_close(near.masks, exact.masks, atol=0.05, rtol=0)


def test_float32_is_the_default_and_the_reference():
    assert OVSeg(tiny_segmenter(), tiny_clip()).view.precision == "float32"
    with in_precision(torch.device("cpu"), "float32"):
        assert not torch.is_autocast_enabled("cpu")
    with pytest.raises(ValueError, match="'int8'; expected one of float32, bfloat16, float16"):
        in_precision(torch.device("cpu"), "int8")


def as_deep_as_text_of_vit_b() -> MaskClip:
    return random_clip({}, {"width": 512, "heads": 8, "layers": 12})


def assert_as_alone(together: torch.Tensor, alone: torch.Tensor) -> None:
    """Bit for bit where MKL keeps to one way of summing; elsewhere no probability, 0..1, may be
    further apart than 1e-5."""
    tolerance = 0 if SAME_BITS else BATCH_TOLERANCE
    torch.testing.assert_close(together, alone, atol=tolerance, rtol=0)


@torch.inference_mode()
@pytest.mark.parametrize("size", [(1, 1), (31, 33), (64, 64), (96, 96), (128, 128), (380, 400)])
@pytest.mark.parametrize("mask_layers", ["last", "all"])
@pytest.mark.parametrize("backbone", [{}, {"backbone": dilated()}, {"backbone": swin()}])
def test_pictures_together_are_as_alone(size, mask_layers, backbone):
    torch.manual_seed(5)
    segmenter = MaskFormer(config(**backbone)).eval() if backbone else tiny_segmenter()
    text = class_features(tiny_clip(), NAMES)
    images = pictures(size, 8 if max(size) < 100 else 3)
    choice = MaskChoice(mask_layers=mask_layers)
    together = propose(segmenter, images, choice=choice)
    for found, image in zip(together, images, strict=True):
        [alone] = propose(segmenter, [image], choice=choice)
        assert_as_alone(found.masks, alone.masks)
        classes = [segmenter.class_probabilities(f.class_embed, text) for f in (found, alone)]
        assert_as_alone(*classes)


@torch.inference_mode()
@pytest.mark.parametrize("batch", [1, 2, 5, 100])
@pytest.mark.parametrize("clip", [tiny_clip(prompt_depth=2), as_wide_as_vit_b()])
def test_regions_together_are_as_alone(clip, batch):
    text = class_features(clip, NAMES)
    masks = torch.rand(4, 40, 50, generator=torch.Generator().manual_seed(0))
    masked = [(image, masks) for image in pictures()]
    together = encode_regions(clip, masked, STYLE, batch=batch)
    for seen, alone in zip(together, encode_regions(clip, masked, STYLE, batch=3), strict=True):
        ours, expected = (cosine_logits(s.features, text) for s in (seen, alone))
        if SAME_BITS:
            assert torch.equal(ours, expected)
        assert_as_alone(ours.softmax(-1), expected.softmax(-1))


def test_names_together_are_as_alone():
    clip = as_deep_as_text_of_vit_b()
    names = [*NAMES, "a name of many more words than these", "polar bear"]
    together = class_features(clip, names)
    alone = torch.cat([class_features(clip, [name]) for name in names])
    if SAME_BITS:
        assert torch.equal(together, alone)
    torch.testing.assert_close(together, alone, atol=BATCH_TOLERANCE, rtol=0)


def test_lower_precision_is_no_tf32(monkeypatch):
    monkeypatch.setattr(torch.backends.cudnn, "allow_tf32", True)
    in_precision(torch.device("cpu"), "float32")
    assert not torch.backends.cudnn.allow_tf32
