"""Training losses and the assignment they need (paper, section 3.1; convention 8)."""

from itertools import permutations

import torch
from torch import Tensor

from tests.reference.layers import resize, sigmoid, softmax
from tests.reference.segmenter import Layer

Truth = list[tuple[Tensor, Tensor]]  # per picture: classes (N,), masks (N, H, W)
Matches = list[tuple[list[int], list[int]]]  # per picture: queries ascending, their masks


def losses(
    layers: list[Layer], truth: Truth, padded_hw: tuple[int, int], costs: dict, no_object: float
) -> tuple[dict[str, Tensor], list[Matches]]:
    """Every loss, not weighted, and the assignment of every layer. The last layer's losses have no
    suffix."""
    result, everything = {}, []
    instances = max(sum(len(classes) for classes, _ in truth), 1)
    for i, layer in enumerate(layers):
        suffix = "" if i == len(layers) - 1 else f"_{i}"
        matches = [
            assignment(layer.logits[b], layer.masks[b], *truth[b], padded_hw, costs)
            for b in range(len(truth))
        ]
        everything.append(matches)
        result[f"loss_ce{suffix}"] = class_loss(layer.logits, truth, matches, no_object)
        focal = dice = torch.zeros((), dtype=torch.float64)
        for b, (queries, masks) in enumerate(matches):
            for query, mask in zip(queries, masks, strict=True):
                pixels = resize(layer.masks[b, query], padded_hw, "bilinear")
                target = padded(truth[b][1][mask], padded_hw)
                focal, dice = focal + focal_loss(pixels, target), dice + dice_loss(pixels, target)
        result[f"loss_mask{suffix}"] = focal / instances
        result[f"loss_dice{suffix}"] = dice / instances
    return result, everything


def padded(mask: Tensor, size_hw: tuple[int, int]) -> Tensor:
    whole = torch.zeros(size_hw, dtype=torch.float64)
    whole[: mask.shape[0], : mask.shape[1]] = mask
    return whole


def focal_loss(logits: Tensor, truth: Tensor, alpha: float = 0.25, gamma: float = 2) -> Tensor:
    """Sigmoid focal loss, mean over pixels."""
    p = sigmoid(logits)
    hit = -alpha * (1 - p) ** gamma * torch.log(p)
    miss = -(1 - alpha) * p**gamma * torch.log(sigmoid(-logits))
    return (hit * truth + miss * (1 - truth)).mean()


def dice_loss(logits: Tensor, truth: Tensor) -> Tensor:
    p = sigmoid(logits)
    return 1 - (2 * (p * truth).sum() + 1) / (p.sum() + truth.sum() + 1)


def class_loss(logits: Tensor, truth: Truth, matches: Matches, no_object: float) -> Tensor:
    """Cross entropy of every query, "no object" where it has no mask, with its smaller weight."""
    total = weights = 0.0
    for b, (queries, masks) in enumerate(matches):
        named = dict(zip(queries, masks, strict=True))
        for query, row in enumerate(logits[b]):
            nothing = len(row) - 1
            label = int(truth[b][0][named[query]]) if query in named else nothing
            weight = no_object if label == nothing else 1.0
            total = total - weight * torch.log(softmax(row)[label])
            weights += weight
    return total / weights


def assignment(
    logits: Tensor,
    masks: Tensor,
    classes: Tensor,
    truth: Tensor,
    padded_hw: tuple[int, int],
    costs: dict,
) -> tuple[list[int], list[int]]:
    """The cheapest of all one-to-one assignments, every one of them tried.

    Compared at the prediction's size, ground truth reduced by nearest neighbours.
    """
    size = tuple(masks.shape[-2:])
    price = torch.zeros(len(masks), len(truth), dtype=torch.float64)
    for n, (label, mask) in enumerate(zip(classes, truth, strict=True)):
        small = resize(padded(mask, padded_hw), size, "nearest")
        for query in range(len(masks)):
            price[query, n] = (
                -costs["cls"] * softmax(logits[query])[label]
                + costs["mask"] * focal_loss(masks[query], small)
                + costs["dice"] * dice_loss(masks[query], small)
            ).detach()
    tries = permutations(range(len(masks)), len(truth))
    best = min(tries, key=lambda queries: sum(price[q, n].item() for n, q in enumerate(queries)))
    order = sorted(range(len(best)), key=lambda n: best[n])
    return [best[n] for n in order], order
