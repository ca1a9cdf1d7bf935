"""Assign queries to ground-truth masks: Hungarian matching, as in DETR and MaskFormer.

Cost of a pair = class_weight * (-probability of the class) + mask_weight * focal + dice_weight *
dice, the masks compared at the prediction's size (ground truth reduced by nearest neighbours).
"""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from scipy.optimize import linear_sum_assignment
from torch import Tensor
from torch.nn import functional as F

from pipeline.core.errors import UserError
from pipeline.segmenter.params import LossWeights

FOCAL_ALPHA = 0.25
FOCAL_GAMMA = 2


@dataclass(frozen=True)
class Target:
    """Ground truth of one picture, N >= 0 masks.

    labels: (N,) int64, index into the text features. masks: (N,H,W) bool, of the picture's size or
    padded. counted: (H,W) bool, pixels that count in mask losses; None: all, padding included, as
    in the original.
    """

    labels: Tensor
    masks: Tensor
    counted: Tensor | None = None


@torch.no_grad()
def match(
    pred_logits: Tensor,
    pred_masks: Tensor,
    targets: Sequence[Target],
    padded_hw: tuple[int, int],
    weights: LossWeights,
) -> list[tuple[Tensor, Tensor]]:
    """Find the best one-to-one assignment per picture.

    pred_logits (B,Q,K+1), pred_masks (B,Q,h,w) logits, one target per picture. Returns for each
    picture (query, mask), two int64 tensors of length min(Q,N), queries ascending; empty without
    ground truth. UserError if a prediction is not finite.
    """
    size = pred_masks.shape[-2:]
    matches = []
    for logits, masks, target in zip(pred_logits, pred_masks, targets, strict=True):
        truth = _reduced(pad(target.masks, padded_hw), size)
        counted = None
        if target.counted is not None:
            counted = _reduced(pad(target.counted[None], padded_hw), size)[0]
        probability = logits.float().softmax(-1)
        pixels = masks.float().flatten(1)
        cost = (
            -weights.class_weight * probability[:, target.labels]
            + weights.mask_weight * focal_cost(pixels, truth, counted)
            + weights.dice_weight * dice_cost(pixels, truth, counted)
        )
        if not torch.isfinite(cost).all():
            raise UserError(
                "the segmenter predicts numbers that are not finite: lower "
                "segmenter.training.learning_rate or segmenter.training.max_grad_norm"
            )
        query, mask = linear_sum_assignment(cost.cpu().numpy())
        matches.append(
            (torch.as_tensor(query, dtype=torch.int64), torch.as_tensor(mask, dtype=torch.int64))
        )
    return matches


def standing_on(points: Tensor, target: Target) -> tuple[Tensor, Tensor]:
    """Find the ground-truth mask that each point lies in: (query, mask) as from `match`, but a mask
    may occur many times, and points on unlabelled ground are left out.

    points: (Q,2) x and y in 0..1 of the target's padded picture.
    """
    height, width = target.masks.shape[-2:]
    size = torch.tensor([width, height], device=points.device)
    x, y = (points * size).long().to(target.masks.device).T
    inside = target.masks[:, y, x]  # (N,Q)
    query = inside.any(0).nonzero()[:, 0].cpu()
    return query, inside.cpu()[:, query].int().argmax(0) if len(query) else query


def reduced(target: Target, padded_hw: tuple[int, int], size_hw: tuple[int, int]) -> Target:
    """Pad the target, then reduce it to `size_hw` by nearest neighbours."""

    def small(masks: Tensor) -> Tensor:
        return _reduced(pad(masks, padded_hw), size_hw).view(-1, *size_hw) > 0

    counted = None if target.counted is None else small(target.counted[None])[0]
    return Target(target.labels, small(target.masks), counted)


def pad(masks: Tensor, size_hw: tuple[int, int]) -> Tensor:
    """Pad (N,H,W) -> (N,*size_hw), zeros (False) at the bottom and right."""
    height, width = masks.shape[-2:]
    assert height <= size_hw[0] and width <= size_hw[1], (masks.shape, size_hw)
    return F.pad(masks, (0, size_hw[1] - width, 0, size_hw[0] - height))


def _reduced(masks: Tensor, size: Sequence[int]) -> Tensor:
    """(N,H,W) bool -> (N,h*w) float by nearest neighbours; N may be 0."""
    return F.interpolate(masks[:, None].float(), size, mode="nearest").flatten(1)


def focal_cost(pixels: Tensor, truth: Tensor, counted: Tensor | None = None) -> Tensor:
    """Compute the mean sigmoid focal loss of every pair: logits (Q,P), truth (N,P) in {0,1} ->
    (Q,N).

    counted: (P,) weights in {0,1}; None counts every pixel.
    """
    probability = pixels.sigmoid()
    on = FOCAL_ALPHA * (1 - probability) ** FOCAL_GAMMA * F.softplus(-pixels)
    off = (1 - FOCAL_ALPHA) * probability**FOCAL_GAMMA * F.softplus(pixels)
    count: Tensor | int = pixels.shape[1]
    if counted is not None:
        on, off, count = on * counted, off * counted, counted.sum().clamp(min=1)
    return (on @ truth.T + off @ (1 - truth).T) / count


def dice_cost(pixels: Tensor, truth: Tensor, counted: Tensor | None = None) -> Tensor:
    """Compute the dice loss of every pair: logits (Q,P), truth (N,P) in {0,1} -> (Q,N) in [0,1]."""
    probability = pixels.sigmoid()
    if counted is not None:
        probability, truth = probability * counted, truth * counted
    overlap = 2 * probability @ truth.T
    total = probability.sum(1)[:, None] + truth.sum(1)[None]
    return 1 - (overlap + 1) / (total + 1)
