"""Losses on answers worked by hand; the goldens are in test_goldens.py."""

import math

import pytest
import torch

from pipeline.maskformer.maskformer import LayerOutput, SegmenterOutput
from pipeline.segmenter.criterion import (
    class_loss,
    dice_loss,
    focal_loss,
    losses,
    over_processes,
    weighted,
)
from pipeline.segmenter.matcher import Target
from tests.segmenter.tiny import WEIGHTS

CPU = torch.device("cpu")
NOTHING = Target(torch.zeros(0, dtype=torch.int64), torch.zeros(0, 8, 8, dtype=torch.bool))


def output(pictures: int = 1, queries: int = 3, layers: int = 1) -> SegmenterOutput:
    generator = torch.Generator().manual_seed(0)

    def layer():
        logits = torch.randn(pictures, queries, 4, generator=generator, requires_grad=True)
        masks = torch.randn(pictures, queries, 2, 2, generator=generator, requires_grad=True)
        return logits, masks

    earlier = [LayerOutput(*layer()) for _ in range(layers - 1)]
    logits, masks = layer()
    return SegmenterOutput(logits, masks, logits, (8, 8), earlier)


def test_focal_by_hand():
    # at logit 0 both probabilities are 1/2: alpha_t * 1/4 * ln 2
    pixels = torch.zeros(1, 2)
    truth = torch.tensor([[1.0, 0.0]])
    expected = (0.25 + 0.75) / 2 * 0.25 * math.log(2)
    assert focal_loss(pixels, truth).item() == pytest.approx(expected, rel=1e-6)
    only_first = focal_loss(pixels, truth, torch.tensor([[1.0, 0.0]])).item()
    assert only_first == pytest.approx(0.25 * 0.25 * math.log(2), rel=1e-6)


def test_dice_by_hand():
    pixels = torch.zeros(1, 4)  # probability 1/2 everywhere: overlap 2 * 1, total 2 + 2
    truth = torch.tensor([[1.0, 1, 0, 0]])
    assert dice_loss(pixels, truth).item() == pytest.approx(1 - 3 / 5)
    half = torch.tensor([[1.0, 0, 1, 0]])  # overlap 2 * 1/2, total 1 + 1
    assert dice_loss(pixels, truth, half).item() == pytest.approx(1 - 2 / 3)


def test_class_loss_by_hand():
    logits = torch.tensor([[[0.0, 0, 0], [0, 0, 0]]])  # ln 3 each, whatever the weights
    truth = [Target(torch.tensor([1]), torch.ones(1, 8, 8, dtype=torch.bool))]
    matches = [(torch.tensor([0]), torch.tensor([0]))]
    loss = class_loss(logits, truth, matches, no_object=0.1)
    assert loss.item() == pytest.approx(math.log(3))
    logits[0, 0, 1] = 5  # the matched query is surer of its class: only it changes
    right = -torch.tensor([0.0, 5, 0]).log_softmax(0)[1].item()
    expected = (right + 0.1 * math.log(3)) / 1.1
    assert class_loss(logits, truth, matches, 0.1).item() == pytest.approx(expected)


def test_every_layer_has_its_losses():
    names = losses(output(layers=3), [NOTHING], WEIGHTS).keys()
    kinds = ("loss_ce", "loss_mask", "loss_dice")
    assert set(names) == {kind + end for kind in kinds for end in ("", "_0", "_1")}


def test_a_batch_without_masks_still_teaches():
    predicted = output(pictures=2)
    raw = losses(predicted, [NOTHING, NOTHING], WEIGHTS)
    assert raw["loss_mask"].item() == raw["loss_dice"].item() == 0
    sum(raw.values()).backward()
    assert predicted.pred_logits.grad.abs().sum() > 0
    assert predicted.pred_masks.grad.abs().sum() == 0


def test_a_batch_without_masks_counts_as_one():
    assert over_processes(4, CPU).item() == 4
    assert over_processes(0, CPU).item() == 1


def test_ignored_pixels_teach_the_masks_nothing():
    left = torch.zeros(8, 8, dtype=torch.bool)
    left[:, :4] = True
    truth = Target(torch.tensor([0]), left[None].clone(), counted=left)
    predicted = output()
    losses(predicted, [truth], WEIGHTS)["loss_mask"].backward()
    gradient = predicted.pred_masks.grad
    assert gradient[..., 0].abs().sum() > 0
    changed = SegmenterOutput(
        predicted.pred_logits,
        predicted.pred_masks.detach().clone().repeat_interleave(4, 2).repeat_interleave(4, 3),
        predicted.class_embed,
        (8, 8),
    )
    before = losses(changed, [truth], WEIGHTS)
    changed.pred_masks[..., 4:] += 3
    after = losses(changed, [truth], WEIGHTS)
    assert before["loss_mask"].item() == after["loss_mask"].item()
    assert before["loss_dice"].item() == after["loss_dice"].item()


def test_weights_multiply_their_losses():
    raw = {
        "loss_ce": torch.tensor(1.0),
        "loss_mask_0": torch.tensor(1.0),
        "loss_dice": torch.tensor(1.0),
    }
    result = weighted(
        raw, WEIGHTS.model_copy(update={"class_weight": 2, "mask_weight": 3, "dice_weight": 4})
    )
    assert {k: v.item() for k, v in result.items()} == {
        "loss_ce": 2,
        "loss_mask_0": 3,
        "loss_dice": 4,
    }
