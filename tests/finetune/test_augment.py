import numpy as np
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.finetune.augment import RegionSet, random_part, stack
from pipeline.finetune.pair_set import Pair, PairSet
from tests.clip.tiny import tiny_clip, write_pairs


def region_set(folder, min_crop=0.9, seed=0):
    clip = tiny_clip()
    return RegionSet(PairSet(folder), 24, clip.mean, clip.std, "mean", min_crop, seed)


@settings(max_examples=100, deadline=None)
@given(st.integers(1, 60), st.integers(1, 60), st.floats(0.05, 1), st.integers(0, 10_000))
def test_a_part_is_large_enough_and_shows_foreground(height, width, min_crop, seed):
    rng = np.random.default_rng(seed)
    mask = rng.random((height, width)) < 0.1
    mask[0, 0] = True
    crop = np.dstack([np.arange(height * width).reshape(height, width) % 251] * 3).astype("u1")
    part = random_part(Pair(crop, mask), min_crop, rng)
    rows, columns = part.mask.shape
    assert part.mask.any() and part.crop.shape == (rows, columns, 3)
    assert (rows + 0.5) * (columns + 0.5) >= min_crop * height * width * 0.999
    assert rows <= height and columns <= width
    places = np.lib.stride_tricks.sliding_window_view(mask, part.mask.shape)
    assert any(
        np.array_equal(part.crop, crop[y : y + rows, x : x + columns])
        for y, x in np.argwhere((places == part.mask).all(axis=(2, 3)))
    ), "a part is a window of the crop and of its mask"


def test_parts_are_smaller_than_the_crop_and_lie_anywhere():
    pair = Pair(np.arange(40 * 30 * 3).reshape(40, 30, 3), np.ones((40, 30), bool))
    parts = [random_part(pair, 0.5, np.random.default_rng(seed)) for seed in range(50)]
    sizes = [part.mask.size for part in parts]
    assert min(sizes) < 0.6 * 1200 and max(sizes) > 0.9 * 1200
    assert len({int(part.crop[0, 0, 0]) for part in parts}) > 20  # upper left corners


def test_all_of_the_crop_where_asked_for():
    mask = np.ones((9, 5), bool)
    part = random_part(Pair(np.zeros((9, 5, 3), "u1"), mask), 1.0, np.random.default_rng(0))
    assert part.mask.shape == (9, 5)


def test_a_draw_is_always_the_same_and_draws_differ(tmp_path):
    regions = region_set(write_pairs(tmp_path, 3))
    first, again, other = regions[1, 5], regions[1, 5], regions[1, 6]
    assert torch.equal(first[0], again[0]) and torch.equal(first[1], again[1])
    assert not torch.equal(first[0], other[0])
    assert first[2] == regions.pairs.noun_ids[1]
    assert not torch.equal(region_set(tmp_path, seed=1)[1, 5][0], first[0])


def test_a_part_of_the_pairs(tmp_path):
    regions = region_set(write_pairs(tmp_path, 5))
    part = regions.only(np.array([4, 2]))
    assert torch.equal(part[0, 9][0], regions[4, 9][0])
    assert torch.equal(part[1, 9][0], regions[2, 9][0])


def test_without_cropping_a_pair_is_its_region(tmp_path):
    regions = region_set(write_pairs(tmp_path, 2), min_crop=1.0)
    image, mask = regions.region(regions.pairs[1])
    assert torch.equal(regions[1, 0][0], image) and torch.equal(regions[1, 0][1], mask)
    batch = stack([regions[0, 0], regions[1, 1]])
    assert batch.images.shape == (2, 3, 24, 24) and batch.images.dtype == torch.float32
    assert batch.masks.shape == (2, 24, 24) and batch.masks.dtype == torch.bool
    assert batch.noun_ids.tolist() == regions.pairs.noun_ids[:2].tolist()
