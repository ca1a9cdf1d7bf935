import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.clip.regions import cut_regions, expand_boxes, masks_to_boxes, region_of_crop
from pipeline.clip.view import RegionView

MEAN, STD = torch.tensor([0.5, 0.25, 0.125]), torch.tensor([0.5, 0.25, 0.5])


def cut(image, probs, size=8, **options):
    return cut_regions(image, probs, RegionView(**options), size, MEAN, STD)


def test_boxes_by_hand():
    masks = torch.zeros(3, 5, 7, dtype=torch.bool)
    masks[0, 1, 2] = masks[0, 3, 5] = True
    masks[1] = True
    assert masks_to_boxes(masks).tolist() == [[2, 1, 6, 4], [0, 0, 7, 5], [0, 0, 0, 0]]
    assert masks_to_boxes(masks[:0]).shape == (0, 4)


@settings(max_examples=30, deadline=None)
@given(st.integers(1, 9), st.integers(1, 9), st.integers(0, 10_000))
def test_boxes_are_tight(height, width, seed):
    mask = np.random.default_rng(seed).random((height, width)) < 0.2
    box = masks_to_boxes(torch.from_numpy(mask)[None])[0].tolist()
    ys, xs = np.nonzero(mask)
    tight = [xs.min(), ys.min(), xs.max() + 1, ys.max() + 1] if mask.any() else [0, 0, 0, 0]
    assert box == tight


def test_expanding_truncates_toward_zero_and_stays_inside():
    boxes = torch.tensor([[33, 77, 34, 78], [121, 0, 160, 32], [21, 24, 130, 100]])
    grown = expand_boxes(boxes, 1.5, 120, 160)
    assert grown.tolist() == [[32, 76, 34, 78], [111, 0, 160, 40], [0, 5, 157, 119]]
    assert torch.equal(expand_boxes(boxes, 1.0, 120, 160), boxes)
    with pytest.raises(ValueError, match="can only grow"):
        expand_boxes(boxes, 0.5, 120, 160)


def test_filling_by_hand():
    image = torch.full((3, 4, 4), 255.0)
    probs = torch.zeros(1, 4, 4)
    probs[0, 0, 0] = probs[0, 3, 3] = 0.41
    white = (1 - MEAN) / STD
    for fill, background in (("mean", MEAN * 0), ("zero", -MEAN / STD), ("preserve", white)):
        region = cut(image, probs, size=4, fill=fill)
        assert torch.allclose(region.images[0, :, 0, 0], white)
        assert torch.allclose(region.images[0, :, 0, 3], background, atol=1e-6)
        assert region.masks.dtype == torch.bool and int(region.masks.sum()) == 2
    with pytest.raises(ValueError, match="'mean', 'zero' or 'preserve'"):
        cut(image, probs, fill="black")


def test_a_mask_is_valid_strictly_above_the_threshold():
    probs = torch.tensor([0.4, 0.41, 0.0, 1.0])[:, None, None].expand(4, 3, 3)
    region = cut(torch.zeros(3, 3, 3, dtype=torch.uint8), probs)
    assert region.valid.tolist() == [False, True, False, True]
    assert region.images.shape == (2, 3, 8, 8)


@pytest.mark.parametrize("queries", [0, 3])
def test_no_valid_mask_gives_empty_regions(queries):
    region = cut(torch.zeros(3, 6, 5), torch.zeros(queries, 6, 5))
    assert region.valid.shape == (queries,) and not region.valid.any()
    assert region.boxes_xyxy.shape == (0, 4)
    assert region.images.shape == (0, 3, 8, 8) and region.masks.shape == (0, 8, 8)


def test_a_picture_of_one_pixel():
    region = cut(torch.full((3, 1, 1), 51.0), torch.ones(1, 1, 1))
    assert region.boxes_xyxy.tolist() == [[0, 0, 1, 1]]
    assert torch.allclose(region.images[0, :, 4, 4], (0.2 - MEAN) / STD)
    assert region.masks.all()


def test_sizes_must_agree():
    with pytest.raises(ValueError, match=r"\(4, 5\) and masks of \(5, 4\)"):
        cut(torch.zeros(3, 4, 5), torch.zeros(1, 5, 4))


@settings(max_examples=20, deadline=None)
@given(st.integers(0, 10_000), st.sampled_from(["mean", "zero", "preserve"]))
def test_a_stored_pair_is_the_region_that_inference_sees(seed, fill):
    rng = np.random.default_rng(seed)
    image = torch.from_numpy(rng.integers(0, 256, (3, 20, 30), dtype=np.uint8))
    mask = torch.from_numpy(rng.random((20, 30)) < 0.01)
    mask[tuple(rng.integers(0, 20, 2))] = True
    whole = cut(image, mask[None], fill=fill)
    x1, y1, x2, y2 = whole.boxes_xyxy[0].tolist()
    picture, region = region_of_crop(image[:, y1:y2, x1:x2], mask[y1:y2, x1:x2], 8, MEAN, STD, fill)
    assert torch.equal(picture, whole.images[0]) and torch.equal(region, whole.masks[0])
