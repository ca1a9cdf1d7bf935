import numpy as np
import pytest
import torch
from torch.nn import functional as F

from pipeline.clip.regions import prepare_regions
from pipeline.core.records import ProposalRecord
from pipeline.data.rle import encode_masks
from pipeline.pairs.regions import (
    Candidates,
    RegionStyle,
    candidates_from_proposals,
    candidates_from_truth,
    see_regions,
)
from tests.ovseg.tiny import tiny_clip

STYLE = RegionStyle("mean", 1.0)


def picture(seed: int, masks: int) -> tuple[np.ndarray, Candidates]:
    rng = np.random.default_rng(seed)
    image = rng.integers(0, 256, (20, 30, 3)).astype(np.uint8)
    stack = np.zeros((masks, 20, 30), bool)
    for mask in stack:
        y, x = rng.integers(0, 10, 2)
        mask[y : y + 8, x : x + 9] = True
    return image, Candidates(stack, list(range(masks)))


@pytest.fixture(scope="module")
def clip():
    return tiny_clip()


def alone(clip, image, candidates) -> np.ndarray:
    regions = prepare_regions(
        torch.from_numpy(image).permute(2, 0, 1), torch.from_numpy(candidates.masks), 0.5,
        clip.image_size, clip.mean, clip.std,
    )  # fmt: skip
    with torch.inference_mode():
        return F.normalize(clip.encode_image(regions.images), dim=-1).numpy()


@pytest.mark.parametrize("batch", [1, 4, 5, 100])
def test_pictures_seen_together_are_seen_as_alone(clip, batch):
    pictures = [picture(seed, masks) for seed, masks in enumerate((3, 1, 0, 5, 2))]
    seen = list(see_regions(clip, pictures, STYLE, batch, False))
    assert len(seen) == 5
    for look, (image, candidates) in zip(seen, pictures, strict=True):
        assert look.features.shape == (len(candidates.masks), 16)
        np.testing.assert_allclose(look.features, alone(clip, image, candidates), atol=1e-5)
        for mask, (x1, y1, x2, y2) in zip(candidates.masks, look.boxes_xyxy, strict=True):
            assert mask[y1:y2, x1:x2].sum() == mask.sum()


def test_pictures_are_read_only_until_a_batch_is_full(clip):
    taken = []

    def pictures():
        for seed in range(10):
            taken.append(seed)
            yield picture(seed, 2)

    stream = see_regions(clip, pictures(), STYLE, 4, False)
    next(stream)
    assert taken == [0, 1]


def test_no_pictures(clip):
    assert list(see_regions(clip, [], STYLE, 4, False)) == []


def test_candidates_of_proposals_and_of_truth():
    _, made = picture(0, 2)
    rles = encode_masks(made.masks)
    records = [
        ProposalRecord(1, query, 20, 30, rle["counts"], (0, 0, 1, 1), 1, 1.0, 1.0)
        for query, rle in zip((4, 7), rles, strict=True)
    ]
    found = candidates_from_proposals(records, 20, 30)
    assert np.array_equal(found.masks, made.masks) and found.queries == [4, 7]
    true = candidates_from_truth({"sky": made.masks[0], "sea": made.masks[1]}, 20, 30)
    assert np.array_equal(true.masks, made.masks) and true.queries == [-1, -1]
    assert candidates_from_truth({}, 20, 30).masks.shape == (0, 20, 30)
    assert candidates_from_proposals([], 20, 30).masks.shape == (0, 20, 30)
