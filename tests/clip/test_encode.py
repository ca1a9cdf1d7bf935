from dataclasses import replace

import numpy as np
import pytest
import torch
from torch.nn import functional as F

from pipeline.clip.encode import Masked, encode_cut, encode_regions, encode_regions_by
from pipeline.clip.regions import cut_regions
from pipeline.clip.view import RegionView
from tests.ovseg.tiny import tiny_clip

VIEW = RegionView()


def picture(seed: int, masks: int) -> Masked:
    rng = np.random.default_rng(seed)
    image = rng.integers(0, 256, (3, 20, 30)).astype(np.uint8)
    stack = np.zeros((masks, 20, 30), bool)
    for mask in stack:
        y, x = rng.integers(0, 10, 2)
        mask[y : y + 8, x : x + 9] = True
    return torch.from_numpy(image), torch.from_numpy(stack)


PICTURES = [picture(seed, masks) for seed, masks in enumerate((3, 1, 0, 5, 2))]


@pytest.fixture(scope="module")
def clip():
    return tiny_clip(prompt_depth=1)


@torch.inference_mode()
def alone(clip, image, masks, view) -> torch.Tensor:
    """By the definition: each region by itself."""
    regions = cut_regions(image, masks, view, clip.image_size, clip.mean, clip.std)
    features = clip.encode_image(regions.images, regions.masks if view.prompts else None)
    return F.normalize(features, dim=-1)


@pytest.mark.parametrize("prompts", [True, False])
@pytest.mark.parametrize("batch", [1, 4, 5, 100])
def test_pictures_seen_together_are_seen_as_alone(clip, batch, prompts):
    view = replace(VIEW, prompts=prompts)
    found = list(encode_regions(clip, PICTURES, view, batch))
    assert len(found) == 5
    for seen, (image, masks) in zip(found, PICTURES, strict=True):
        assert seen.features.shape == (len(masks), 16) and bool(seen.valid.all())
        torch.testing.assert_close(
            seen.features, alone(clip, image, masks, view), atol=1e-5, rtol=0
        )
        for mask, (x1, y1, x2, y2) in zip(masks, seen.boxes_xyxy.tolist(), strict=True):
            assert mask[y1:y2, x1:x2].sum() == mask.sum()


def test_pictures_are_read_only_until_a_batch_is_full(clip):
    taken = []

    def pictures():
        for seed in range(10):
            taken.append(seed)
            yield picture(seed, 2)

    stream = encode_regions(clip, pictures(), VIEW, 4)
    next(stream)
    assert taken == [0, 1]


def test_no_pictures_and_no_valid_mask(clip):
    assert list(encode_regions(clip, [], VIEW)) == []
    image, masks = picture(0, 2)
    [seen] = encode_regions(clip, [(image, masks & False)], VIEW)
    assert seen.valid.tolist() == [False, False]
    assert seen.features.shape == (0, 16) and seen.boxes_xyxy.shape == (0, 4)


def test_several_clips_see_what_each_sees_alone():
    """Also where one wants other pictures: then it does not share their cutting."""
    clips = {"a": tiny_clip(0), "b": tiny_clip(1, prompt_depth=2), "other mean": tiny_clip(2)}
    clips["other mean"].mean += 0.1
    together = list(encode_regions_by(clips, PICTURES, VIEW, 4))
    for name, clip in clips.items():
        for seen, expected in zip(together, encode_regions(clip, PICTURES, VIEW, 4), strict=True):
            torch.testing.assert_close(seen[name].features, expected.features, atol=1e-6, rtol=0)
    assert not torch.allclose(together[0]["a"].features, together[0]["other mean"].features)


@torch.inference_mode()
def test_the_three_ways_to_show_a_region(clip):
    """ZegFormer's: the box as it is, the whole picture filled, the box filled."""
    image, masks = picture(3, 1)
    y, x = np.argwhere(masks[0].numpy()).min(axis=0)
    masks[0, y, x] = False  # so that the box has background
    cuts = {
        region: cut_regions(
            image,
            masks,
            RegionView(region=region, fill="zero"),
            clip.image_size,
            clip.mean,
            clip.std,
        )
        for region in ("crop", "mask", "crop_and_mask")
    }
    tight = cuts["crop_and_mask"].boxes_xyxy
    assert torch.equal(cuts["crop"].boxes_xyxy, tight)
    assert cuts["mask"].boxes_xyxy.tolist() == [[0, 0, 30, 20]]
    preserved = cut_regions(
        image, masks, RegionView(fill="preserve"), clip.image_size, clip.mean, clip.std
    )
    assert torch.equal(cuts["crop"].images, preserved.images)
    whole = torch.where(masks[0], image, 0)[:, None].transpose(0, 1)[0]
    everything = torch.ones(1, 20, 30, dtype=torch.bool)
    shown = cut_regions(
        whole, everything, RegionView(fill="preserve"), clip.image_size, clip.mean, clip.std
    )
    torch.testing.assert_close(cuts["mask"].images, shown.images, atol=1e-6, rtol=0)


def test_training_has_gradients_and_inference_has_none(clip):
    image, masks = picture(1, 2)
    view = RegionView(region="mask")  # most patches have no foreground: they are prompts
    cut = cut_regions(image, masks, view, clip.image_size, clip.mean, clip.std)
    trained = tiny_clip(prompt_depth=1).requires_grad_(True)
    encode_cut(trained, cut.images, cut.masks, view).sum().backward()
    assert trained.prompts.grad.abs().sum() > 0
    [seen] = encode_regions(trained, [(image, masks)], VIEW)
    assert not seen.features.requires_grad
