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
from pipeline.maskformer.maskformer import SegmenterOutput

DOUBLE = 0.7
"""Intersection over union above which of two masks only the surer one is kept."""

LEVELS = (0.0, -2.0)
"""What is taken off the logits of the masks of all layers, so that 0.5 cuts them at probability 0.5
and at 0.12: what nobody labelled the network learnt to call ground, and it only hints at it."""


@dataclass(frozen=True)
class Masks:
    """The M masks of one picture. logits: (M,K+1) float32, last column = no object; pixels:
    (M,h,w) float32 logits at stride 4 of the padded size `padded_hw`."""

    logits: Tensor
    pixels: Tensor
    padded_hw: tuple[int, int]

    @property
    def classes(self) -> Tensor:
        """(M,K) in 0..1: the probability of every class; a row is 1 - p(no object) in all
        (convention 6: the softmax knows the last column, the answer does not)."""
        return self.logits.softmax(-1)[:, :-1]

    @property
    def objectness(self) -> Tensor:
        """1 - p(no object) of every mask: (M,) float32 in [0,1]."""
        return 1 - self.logits.softmax(-1)[:, -1]

    def probabilities(
        self, image_hw: tuple[int, int], out_hw: tuple[int, int] | None = None
    ) -> Tensor:
        """Foreground probabilities (M,H,W) float32 in [0,1].

        The logits are enlarged bilinearly to the padded size, cropped to `image_hw` (the size that
        went into the segmenter) and squashed; then, where `out_hw` is given, resized bilinearly.
        """
        logits = F.interpolate(
            self.pixels[None], self.padded_hw, mode="bilinear", align_corners=False
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


def masks_of(output: SegmenterOutput, i: int, choice: MaskChoice) -> Masks:
    """The masks of picture i of the batch. All layers must have been asked for where wanted."""
    if choice.masks_of == "last_layer":
        first = slice(choice.most)
        return Masks(output.pred_logits[i, first], output.pred_masks[i, first], output.padded_hw)
    layers = [output, *output.aux]
    uncut = torch.cat([layer.pred_masks[i] for layer in layers])
    pixels = torch.cat([uncut - level for level in LEVELS])
    logits = torch.cat([layer.pred_logits[i] for layer in layers]).repeat(len(LEVELS), 1)
    chosen = distinct(pixels, choice.most)
    return Masks(logits[chosen], pixels[chosen], output.padded_hw)


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
