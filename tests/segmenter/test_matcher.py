"""Matching: hand-made cases, batched equals single, empty targets."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import linear_sum_assignment

from pipeline.segmenter.criterion import dice_loss, focal_loss
from pipeline.segmenter.matcher import Target, dice_cost, focal_cost, match, pad, reduced
from tests.segmenter.tiny import WEIGHTS

HW = (16, 16)


def predictions(queries: int, classes: int, seed: int, pictures: int = 1):
    generator = torch.Generator().manual_seed(seed)
    logits = torch.randn(pictures, queries, classes + 1, generator=generator)
    return logits, torch.randn(pictures, queries, 4, 4, generator=generator) * 3


def target(masks: int, classes: int, seed: int) -> Target:
    generator = torch.Generator().manual_seed(seed)
    return Target(
        torch.randint(classes, (masks,), generator=generator),
        torch.rand(masks, *HW, generator=generator) > 0.5,
    )


def test_each_query_takes_the_mask_it_draws():
    left = torch.zeros(HW, dtype=torch.bool)
    left[:, :8] = True
    truth = Target(torch.tensor([0, 0]), torch.stack([left, ~left]))
    masks = torch.full((1, 3, 4, 4), -9.0)
    masks[0, 2, :, :2] = 9  # query 2 draws the left, query 0 the right, query 1 nothing
    masks[0, 0, :, 2:] = 9
    [(query, index)] = match(torch.zeros(1, 3, 2), masks, [truth], HW, WEIGHTS)
    assert query.tolist() == [0, 2]
    assert index.tolist() == [1, 0]


def test_classes_decide_between_equal_masks():
    truth = Target(torch.tensor([1]), torch.ones(1, *HW, dtype=torch.bool))
    logits = torch.tensor([[[5.0, 0, 0], [0, 5, 0]]])
    [(query, _)] = match(logits, torch.zeros(1, 2, 4, 4), [truth], HW, WEIGHTS)
    assert query.tolist() == [1]


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 5), st.integers(0, 5), st.integers(1, 6), st.integers(0, 10**6))
def test_batched_equals_single(first, second, queries, seed):
    logits, masks = predictions(queries, 3, seed, pictures=2)
    targets = [target(first, 3, seed), target(second, 3, seed + 1)]
    together = match(logits, masks, targets, HW, WEIGHTS)
    for i in range(2):
        [alone] = match(logits[i : i + 1], masks[i : i + 1], targets[i : i + 1], HW, WEIGHTS)
        assert [part.tolist() for part in alone] == [part.tolist() for part in together[i]]
        assert len(alone[0]) == min(queries, len(targets[i].labels))


def test_costs_are_the_losses_of_every_pair():
    _, masks = predictions(4, 3, seed=2)
    pixels = masks[0].flatten(1)
    truth = (torch.rand(3, 16, generator=torch.Generator().manual_seed(0)) > 0.5).float()
    counted = torch.ones(16)
    counted[:5] = 0
    for weight in (None, counted):
        focal, dice = focal_cost(pixels, truth, weight), dice_cost(pixels, truth, weight)
        for q in range(4):
            for n in range(3):
                pair = pixels[q : q + 1], truth[n : n + 1], None if weight is None else weight[None]
                torch.testing.assert_close(focal[q, n], focal_loss(*pair)[0])
                torch.testing.assert_close(dice[q, n], dice_loss(*pair)[0])


def test_the_assignment_is_the_cheapest():
    logits, masks = predictions(5, 3, seed=3)
    truth = target(3, 3, seed=3)
    weights = WEIGHTS.model_copy(
        update={"class_weight": 2.0, "mask_weight": 3.0, "dice_weight": 4.0}
    )
    small = truth.masks[:, ::4, ::4].float().flatten(1)  # nearest takes the first pixel of four
    cost = (
        -2 * logits[0].softmax(-1)[:, truth.labels]
        + 3 * focal_cost(masks[0].flatten(1), small)
        + 4 * dice_cost(masks[0].flatten(1), small)
    )
    [(query, index)] = match(logits, masks, [truth], HW, weights)
    best = linear_sum_assignment(cost.numpy())
    assert (query.tolist(), index.tolist()) == tuple(part.tolist() for part in best)


def test_pixels_that_do_not_count_do_not_matter():
    logits, masks = predictions(4, 3, seed=5)
    truth = target(2, 3, seed=5)
    counted = torch.ones(HW, dtype=torch.bool)
    counted[:, 8:] = False
    other = masks.clone()
    other[..., 2:] *= -7
    results = [
        match(logits, m, [Target(truth.labels, truth.masks, counted)], HW, WEIGHTS)[0]
        for m in (masks, other)
    ]
    assert results[0][0].tolist() == results[1][0].tolist()


def test_numbers_that_are_not_finite_are_named():
    logits, masks = predictions(2, 3, seed=0)
    with pytest.raises(ValueError, match="not finite.*lower segmenter"):
        match(logits * float("nan"), masks, [target(1, 3, 0)], HW, WEIGHTS)


def test_padding_is_at_the_bottom_and_right():
    padded = pad(torch.ones(2, 2, 3, dtype=torch.bool), (4, 5))
    assert padded.shape == (2, 4, 5)
    assert padded[:, :2, :3].all() and padded.sum() == 12
    assert pad(torch.ones(0, 2, 3, dtype=torch.bool), (4, 5)).shape == (0, 4, 5)


def test_a_target_is_padded_and_then_reduced():
    masks = torch.ones(1, 6, 8, dtype=torch.bool)
    small = reduced(Target(torch.tensor([0]), masks, masks[0]), (8, 8), (2, 2))
    assert small.masks.tolist() == [[[True, True], [True, True]]]
    smaller = reduced(Target(torch.tensor([0]), masks[:, :4], masks[0, :4]), (8, 8), (2, 2))
    assert smaller.masks.tolist() == [[[True, True], [False, False]]]
    assert smaller.counted.tolist() == [[True, True], [False, False]]
