import math

import pytest
import torch

from pipeline.ovseg.ensemble import (
    clip_alone,
    clip_probabilities,
    cosine_logits,
    ensemble,
)


def test_cosine_logits_do_not_depend_on_length():
    text = torch.eye(2)
    assert cosine_logits(torch.tensor([[3.0, 4.0]]), text)[0].tolist() == pytest.approx([60, 80])
    assert cosine_logits(torch.zeros(0, 2), text).shape == (0, 2)


def test_clip_sees_no_no_object_and_invalid_masks_are_one():
    valid = torch.tensor([False, True])
    spread = clip_probabilities(torch.log(torch.tensor([[1.0, 3.0]])), valid)
    assert spread.tolist() == [pytest.approx([1, 1]), pytest.approx([0.25, 0.75])]
    assert clip_alone(spread, valid).tolist() == [[0, 0], pytest.approx([0.25, 0.75])]


def test_without_a_valid_mask_clip_has_no_opinion():
    valid = torch.zeros(3, dtype=torch.bool)
    segmenter = torch.rand(3, 4)
    named = clip_probabilities(torch.zeros(0, 4), valid)
    assert (named == 1).all()
    assert (clip_alone(named, valid) == 0).all()
    assert torch.equal(ensemble(segmenter, named, 0.7), segmenter ** (1 - 0.7))


def test_ensemble_worked_by_hand_and_at_its_ends():
    segmenter, clip = torch.tensor([[0.25, 0.0]]), torch.tensor([[0.81, 0.5]])
    assert ensemble(segmenter, clip, 0.5)[0].tolist() == pytest.approx([0.45, 0.0])
    assert torch.equal(ensemble(segmenter, clip, 0.0), segmenter)
    assert torch.equal(ensemble(segmenter, clip, 1.0), clip)
    paper = ensemble(segmenter, clip, 0.7)[0, 0].item()
    assert paper == pytest.approx(0.25**0.3 * 0.81**0.7, rel=1e-6)


@pytest.mark.parametrize("weight", [-0.1, 1.5, math.nan])
def test_a_weight_outside_0_to_1_is_refused(weight):
    with pytest.raises(ValueError, match="0 .*to 1"):
        ensemble(torch.ones(1, 1), torch.ones(1, 1), weight)
