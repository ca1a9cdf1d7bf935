"""Choose masks from the network's output and bring them to a picture's size (convention 2).

The published model takes the masks of the last decoder layer. Earlier layers, and the anchors,
often have a mask of an object that fits no class name and that the last layer has lost. For
collecting pairs, where each noun chooses a mask, all layers together cover more objects, and more
still when each mask is also offered at a lower threshold. For a semantic map, where all masks are
summed, the last layer alone is better.
"""

from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional as F

from pipeline.maskformer.config import MaskLayers
from pipeline.maskformer.transformer_predictor import QueryOutput

NMS_THRESHOLD = 0.7
"""Intersection over union above which only the higher-scoring of two masks is kept."""

LEVELS = (0.0, -2.0)
"""What is taken off the logits of the masks of all layers, so that 0.5 cuts them at probability 0.5
and at 0.12: what nobody labelled the network learnt to call ground, and it only hints at it."""


@dataclass(frozen=True)
class Masks:
    """The M masks of one picture. class_embed: (M,D) float32, any norm; logits: (M,h,w) float32 at
    stride 4 of the padded size `padded_hw`."""

    class_embed: Tensor
    logits: Tensor
    padded_hw: tuple[int, int]

    def probabilities(
        self, image_hw: tuple[int, int], out_hw: tuple[int, int] | None = None
    ) -> Tensor:
        """Return foreground probabilities (M,H,W) float32 in [0,1].

        The logits are enlarged bilinearly to the padded size, cropped to `image_hw` (the size that
        went into the segmenter) and squashed; then, where `out_hw` is given, resized bilinearly.
        """
        logits = F.interpolate(
            self.logits[None], self.padded_hw, mode="bilinear", align_corners=False
        )
        masks = logits[:, :, : image_hw[0], : image_hw[1]].sigmoid()
        if out_hw is not None and tuple(out_hw) != tuple(image_hw):
            masks = F.interpolate(masks, out_hw, mode="bilinear", align_corners=False)
        return masks[0]


@dataclass(frozen=True)
class MaskChoice:
    """Which masks of a picture are kept: those of the last layer in query order (the paper's), or
    those of all layers, moved by `LEVELS`, after non-maximum suppression, highest score first; at
    most `max_masks`, None for all."""

    mask_layers: MaskLayers = "last"
    max_masks: int | None = None


def choose_masks(
    layers: list[QueryOutput], padded_hw: tuple[int, int], i: int, choice: MaskChoice
) -> Masks:
    """Choose the masks of picture i of the batch out of all decoder layers, first one first."""
    if choice.mask_layers == "last":
        last, first = layers[-1], slice(choice.max_masks)
        embed, logits = last.class_embed[i, first], last.pred_masks[i, first]
        return Masks(embed.float(), logits.float(), padded_hw)
    *earlier, last = layers
    uncut = torch.cat([layer.pred_masks[i].float() for layer in (last, *earlier)])
    logits = torch.cat([uncut - level for level in LEVELS])
    embed = torch.cat([layer.class_embed[i].float() for layer in (last, *earlier)])
    chosen = mask_nms(logits, choice.max_masks)
    return Masks(embed.repeat(len(LEVELS), 1)[chosen], logits[chosen], padded_hw)


def mask_nms(logits: Tensor, max_masks: int | None = None) -> Tensor:
    """Return the indices of at most `max_masks` masks after non-maximum suppression, highest score
    first.

    logits: (M,h,w). The score of a mask is the mean probability of its pixels. Empty masks are
    dropped; of equal scores the first mask wins.
    """
    flat = logits.flatten(1)
    inside = (flat > 0).float()
    sizes = inside.sum(1)
    score = (flat.sigmoid() * inside).sum(1) / sizes.clamp(min=1)
    common = inside @ inside.T
    union = sizes[:, None] + sizes[None] - common
    overlapping = (common > NMS_THRESHOLD * union).cpu().numpy()
    left = (sizes > 0).cpu().numpy()
    chosen: list[int] = []
    for candidate in score.argsort(descending=True, stable=True).tolist():
        if left[candidate]:
            chosen.append(candidate)
            left &= ~overlapping[candidate]
        if len(chosen) == max_masks:
            break
    return torch.tensor(chosen, dtype=torch.int64, device=logits.device)
