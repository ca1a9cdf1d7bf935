"""MaskFormer's training losses on every decoder layer (paper section 3.1; convention 8).

Cross entropy over K classes and no object, sigmoid focal and dice losses of the matched masks at
the padded ground-truth resolution, the mask losses divided by the number of ground-truth masks in
the batch. A picture without ground truth only adds to the cross entropy.
"""

from collections.abc import Sequence

import torch
from detectron2.utils import comm
from torch import Tensor
from torch.nn import functional as F

from pipeline.maskformer.maskformer import LayerOutput, SegmenterOutput
from pipeline.segmenter.matcher import (
    FOCAL_ALPHA,
    FOCAL_GAMMA,
    Target,
    match,
    pad,
    reduced,
    standing_on,
)
from pipeline.segmenter.params import LossWeights

Matches = Sequence[tuple[Tensor, Tensor]]


def losses(
    output: SegmenterOutput, targets: Sequence[Target], weights: LossWeights
) -> dict[str, Tensor]:
    """Compute the unweighted losses of every decoder layer.

    Keys: `loss_ce`, `loss_mask`, `loss_dice` of the last layer, and the same with suffix `_0`,
    `_1`, ... of the earlier ones (those in `output.aux`).

    Anchors are not matched: each is trained on the region around its point, if that is labelled,
    at the size of the prediction (there are many anchors)."""
    result = {}
    layers = {"": output} | {f"_{i}": layer for i, layer in enumerate(output.aux)}
    device = output.pred_masks.device
    instances = over_processes(sum(len(target.labels) for target in targets), device)
    for suffix, layer in layers.items():
        if output.anchors is not None and suffix == "_0":
            height, width = layer.pred_masks.shape[-2:]
            size = (height, width)
            truth: Sequence[Target] = [
                reduced(target, output.padded_hw, size) for target in targets
            ]
            matches = [standing_on(output.anchors, target) for target in truth]
            count = over_processes(sum(len(query) for query, _ in matches), device)
        else:
            size, truth, count = output.padded_hw, targets, instances
            matches = match(layer.pred_logits, layer.pred_masks, targets, size, weights)
        result[f"loss_ce{suffix}"] = class_loss(
            layer.pred_logits, targets, matches, weights.no_object_weight
        )
        focal, dice = mask_losses(layer, truth, matches, size)
        result[f"loss_mask{suffix}"] = focal / count
        result[f"loss_dice{suffix}"] = dice / count
    return result


def weighted(raw: dict[str, Tensor], weights: LossWeights) -> dict[str, Tensor]:
    """Return the losses times their weights; their sum is what is minimised."""
    factor = {"ce": weights.class_weight, "mask": weights.mask_weight, "dice": weights.dice_weight}
    return {name: value * factor[name.split("_")[1]] for name, value in raw.items()}


def over_processes(count: int, device: torch.device) -> Tensor:
    """Average a number of masks over the processes, at least 1; scalar float."""
    return _average(torch.tensor(float(count), device=device)).clamp(min=1)


def _average(value: Tensor) -> Tensor:
    """Average a scalar over the processes, without gradient."""
    if comm.get_world_size() > 1:
        torch.distributed.all_reduce(value)
    return value / comm.get_world_size()


def class_loss(
    pred_logits: Tensor, targets: Sequence[Target], matches: Matches, no_object: float
) -> Tensor:
    """Compute the weighted cross entropy over all queries of (B,Q,K+1); unmatched queries are class
    K.

    Divided by the weights of the batch of all processes, so that the mean over the processes is the
    loss of a single one.
    """
    nothing = pred_logits.shape[-1] - 1
    truth = torch.full(pred_logits.shape[:2], nothing, device=pred_logits.device)
    for row, target, (query, index) in zip(truth, targets, matches, strict=True):
        row[query] = target.labels.to(row.device)[index]
    weight = torch.ones(nothing + 1, device=pred_logits.device)
    weight[nothing] = no_object
    entropy = F.cross_entropy(pred_logits.float().transpose(1, 2), truth, weight, reduction="sum")
    return entropy / _average(weight[truth].sum())


def mask_losses(
    layer: LayerOutput, targets: Sequence[Target], matches: Matches, padded_hw: tuple[int, int]
) -> tuple[Tensor, Tensor]:
    """Compute the sums of focal and of dice loss over all matched masks of the batch.

    Predictions are enlarged to `padded_hw`. Without any match both are 0 but have (zero) gradients,
    so that distributed training does not wait for missing ones.
    """
    chosen = [found[query] for found, (query, _) in zip(layer.pred_masks, matches, strict=True)]
    pixels = F.interpolate(
        torch.cat(chosen)[:, None].float(), padded_hw, mode="bilinear", align_corners=False
    ).flatten(1)
    masks, counted = [], []
    for target, (_, index) in zip(targets, matches, strict=True):
        masks.append(pad(target.masks[index.to(target.masks.device)], padded_hw))
        shown = torch.ones_like(target.masks.new_empty(padded_hw), dtype=torch.bool)
        if target.counted is not None:
            shown = pad(target.counted[None], padded_hw)[0]
        counted.append(shown.expand(len(index), *padded_hw))
    truth = torch.cat(masks).to(pixels).flatten(1)
    if all(target.counted is None for target in targets):
        return focal_loss(pixels, truth).sum(), dice_loss(pixels, truth).sum()
    weight = torch.cat(counted).to(pixels).flatten(1)
    return focal_loss(pixels, truth, weight).sum(), dice_loss(pixels, truth, weight).sum()


def focal_loss(pixels: Tensor, truth: Tensor, weight: Tensor | None = None) -> Tensor:
    """Compute the sigmoid focal loss, mean over pixels: logits (M,P), truth (M,P) in {0,1} -> (M,).

    weight: (M,P) in {0,1}, pixels that count; None counts all.
    """
    probability = pixels.sigmoid()
    entropy = F.binary_cross_entropy_with_logits(pixels, truth, reduction="none")
    miss = probability * (1 - truth) + (1 - probability) * truth
    balance = FOCAL_ALPHA * truth + (1 - FOCAL_ALPHA) * (1 - truth)
    loss = balance * miss**FOCAL_GAMMA * entropy
    if weight is None:
        return loss.mean(1)
    return (loss * weight).sum(1) / weight.sum(1).clamp(min=1)


def dice_loss(pixels: Tensor, truth: Tensor, weight: Tensor | None = None) -> Tensor:
    """Compute 1 - (2 |p t| + 1) / (|p| + |t| + 1): logits (M,P), truth (M,P) in {0,1} -> (M,) in
    [0,1]."""
    probability = pixels.sigmoid()
    if weight is not None:
        probability, truth = probability * weight, truth * weight
    overlap = 2 * (probability * truth).sum(1)
    return 1 - (overlap + 1) / (probability.sum(1) + truth.sum(1) + 1)
