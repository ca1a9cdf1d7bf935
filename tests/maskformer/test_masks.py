"""Masks of the last layer as they are, or different ones of all layers."""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from pipeline.maskformer.maskformer import MaskFormer
from pipeline.maskformer.masks import NMS_THRESHOLD, MaskChoice, choose_masks, mask_nms
from pipeline.maskformer.transformer_predictor import QueryOutput
from tests.segmenter.tiny import config, text


def squares(*corners: tuple[int, int, int], sure: tuple[float, ...]) -> torch.Tensor:
    """Masks (M,8,8) of logits: a square of `side` at (row, column), as sure as it says."""
    masks = torch.full((len(corners), 8, 8), -9.0)
    for mask, (row, column, side), logit in zip(masks, corners, sure, strict=True):
        mask[row : row + side, column : column + side] = logit
    return masks


def test_of_doubles_the_surest_is_kept():
    masks = squares((0, 0, 4), (0, 0, 4), (4, 4, 4), sure=(1.0, 2.0, 1.5))
    assert mask_nms(masks, 9).tolist() == [1, 2]
    assert mask_nms(masks, 1).tolist() == [1]


def test_empty_masks_are_not_taken_and_none_at_all_is_fine():
    masks = squares((0, 0, 0), (0, 0, 2), sure=(5.0, 1.0))
    assert mask_nms(masks, 9).tolist() == [1]
    assert mask_nms(masks[:1], 9).tolist() == []
    assert mask_nms(masks[:0], 9).tolist() == []


def test_overlap_up_to_the_limit_is_no_double():
    a, b = torch.full((2, 1, 10), -9.0)
    a[0, :8], b[0, :6] = 2.0, 1.0  # 6 of 8 pixels: above 0.7
    assert len(mask_nms(torch.stack([a, b]), 9)) == 1
    b[0, 5] = -9.0  # 5 of 8
    assert len(mask_nms(torch.stack([a, b]), 9)) == 2


@given(st.integers(0, 2**32 - 1), st.integers(1, 12))
def test_kept_masks_differ_and_every_other_has_a_surer_double(seed, max_masks):
    masks = torch.randn(10, 3, 3, generator=torch.Generator().manual_seed(seed))
    inside = masks.flatten(1) > 0
    kept = mask_nms(masks, max_masks).tolist()
    assert len(kept) <= max_masks and len(set(kept)) == len(kept)

    def overlap(i: int, j: int) -> float:
        return float((inside[i] & inside[j]).sum() / (inside[i] | inside[j]).sum().clamp(min=1))

    assert all(overlap(i, j) <= NMS_THRESHOLD for i in kept for j in kept if i != j)
    if len(kept) < max_masks:
        others = [i for i in range(10) if i not in kept and inside[i].any()]
        assert all(any(overlap(i, j) > NMS_THRESHOLD for j in kept) for i in others)


def test_no_object_takes_its_share_in_the_softmax(monkeypatch):
    model = MaskFormer(config())
    logits = torch.log(torch.tensor([[1.0, 2.0, 5.0]]))  # last = no object
    monkeypatch.setattr(model, "class_logits", lambda embed, features: logits)
    classes = model.class_probabilities(torch.zeros(1, 16), text())
    assert classes[0].tolist() == pytest.approx([1 / 8, 2 / 8])


@torch.inference_mode()
@pytest.mark.parametrize("kind", ("learned", "anchored"))
def test_masks_of_all_layers_or_of_the_last_one(kind):
    torch.manual_seed(0)
    model = MaskFormer(config(query_kind=kind, queries=9, decoder_layers=2)).eval()
    picture = torch.randint(256, (3, 40, 64), dtype=torch.uint8)
    layers, padded_hw = model.embed([picture])
    assert len(layers) == (3 if kind == "anchored" else 2)
    found = choose_masks(layers, padded_hw, 0, MaskChoice("all", 5))
    assert 1 <= len(found.class_embed) == len(found.logits) <= 5
    assert found.probabilities((40, 64)).shape == (len(found.logits), 40, 64)
    assert found.logits.unique(dim=0).shape == found.logits.shape
    last = choose_masks(layers, padded_hw, 0, MaskChoice())
    assert torch.equal(last.logits, layers[-1].pred_masks[0])
    assert torch.equal(last.class_embed, layers[-1].class_embed[0])
    first = choose_masks(layers, padded_hw, 0, MaskChoice("last", 4))
    assert torch.equal(first.logits, last.logits[:4])


def test_a_mask_that_is_only_hinted_at_is_offered_too():
    faint, sure = torch.full((2, 1, 8, 8), -9.0)
    faint[0, :3, :3] = -1.0
    sure[0, 4:, 4:] = 3.0
    embed = torch.eye(3)[None, :2]
    layers = [QueryOutput(embed, torch.cat([faint, sure])[None])]
    found = choose_masks(layers, (32, 32), 0, MaskChoice("all"))
    assert [(mask > 0).sum().item() for mask in found.logits] == [16, 9]
    assert torch.equal(found.class_embed, embed[0, [1, 0]])
    plain = choose_masks(layers, (32, 32), 0, MaskChoice())
    assert [(mask > 0).sum().item() for mask in plain.logits] == [0, 16]
