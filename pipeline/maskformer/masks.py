"""From the network's output to masks at a picture's size (convention 2).

The published model takes the masks of the last decoder layer. The layers before it, and the anchors
themselves, often find what the last one gave up: an object that no class name fits. For collecting
pairs, where a noun looks for its mask, all layers together find more, and more still when each mask
is also offered as it is cut at a lower probability; for a semantic map, where every mask has a
vote, the last layer alone is better.
"""

from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional as F

from pipeline.maskformer.config import MasksOf
from pipeline.maskformer.predictor import QueryOutput

DOUBLE = 0.7
"""Intersection over union above which of two masks only the surer one is kept."""

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
        """Foreground probabilities (M,H,W) float32 in [0,1].

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
    """Which masks of a picture are taken: those of the last layer in query order (the paper's), or
    those of all layers, moved by `LEVELS`, without doubles, the surest first; the first `most`."""

    masks_of: MasksOf = "last_layer"
    most: int | None = None


def choose_masks(
    layers: list[QueryOutput], padded_hw: tuple[int, int], i: int, choice: MaskChoice
) -> Masks:
    """The masks of picture i of the batch out of all decoder layers, first one first."""
    if choice.masks_of == "last_layer":
        last, first = layers[-1], slice(choice.most)
        embed, logits = last.class_embed[i, first], last.pred_masks[i, first]
        return Masks(embed.float(), logits.float(), padded_hw)
    *earlier, last = layers
    uncut = torch.cat([layer.pred_masks[i].float() for layer in (last, *earlier)])
    logits = torch.cat([uncut - level for level in LEVELS])
    embed = torch.cat([layer.class_embed[i].float() for layer in (last, *earlier)])
    chosen = distinct(logits, choice.most)
    return Masks(embed.repeat(len(LEVELS), 1)[chosen], logits[chosen], padded_hw)


def distinct(pixels: Tensor, most: int | None = None) -> Tensor:
    """Indices (at most `most`,) of masks no two of which are doubles, the surest first.

    pixels: (M,h,w) logits. A mask is as sure as the mean probability of its pixels; an empty mask
    is not taken; of equally sure ones the first is.
    """
    flat = pixels.flatten(1)
    inside = (flat > 0).float()
    sizes = inside.sum(1)
    sure = (flat.sigmoid() * inside).sum(1) / sizes.clamp(min=1)
    common = inside @ inside.T
    union = sizes[:, None] + sizes[None] - common
    doubles = (common > DOUBLE * union).cpu().numpy()
    left = (sizes > 0).cpu().numpy()
    chosen: list[int] = []
    for candidate in sure.argsort(descending=True, stable=True).tolist():
        if left[candidate]:
            chosen.append(candidate)
            left &= ~doubles[candidate]
        if len(chosen) == most:
            break
    return torch.tensor(chosen, dtype=torch.int64, device=pixels.device)
