"""Masks cut out of a picture, as CLIP's input (paper, section 3.1).

A mask's tight box is cropped, its background filled, the crop normalised and then resized to
CLIP's square without regard to its shape. Proposals are cut out of a whole picture
(`cut_regions`), training cuts stored pairs (`region_of_crop`): the same arithmetic.
`encode_regions` (pipeline/clip/encode.py) goes on from here to features.
"""

from dataclasses import dataclass
from typing import get_args

import torch
from torch import Tensor
from torch.nn import functional as F

from pipeline.clip.view import Fill, RegionView
from pipeline.core.errors import UserError


@dataclass(frozen=True)
class Regions:
    """The cut-out masks of one picture: Q masks, of which V have a foreground pixel.

    valid: (Q,) bool
    boxes_xyxy: (V, 4) int64, the crops in pixels, x2 and y2 exclusive
    images: (V, 3, S, S) float32, normalised
    masks: (V, S, S) bool
    """

    valid: Tensor
    boxes_xyxy: Tensor
    images: Tensor
    masks: Tensor


def masks_to_boxes(masks: Tensor) -> Tensor:
    """Compute tight boxes `(V, 4)` int64 xyxy (x2, y2 exclusive) of bool masks `(V, H, W)`.

    A mask without a pixel gets (0, 0, 0, 0).
    """
    spans = []
    for hit in (masks.any(dim=1), masks.any(dim=2)):  # columns (V, W), then rows (V, H)
        hit = hit.to(torch.uint8)  # arg-max finds the first of equal values
        first, last = hit.argmax(dim=1), hit.shape[1] - hit.flip(1).argmax(dim=1)
        spans.append(torch.stack([first, last], dim=1) * hit.amax(dim=1, keepdim=True))
    columns, rows = spans
    return torch.stack([columns[:, 0], rows[:, 0], columns[:, 1], rows[:, 1]], dim=1).long()


def expand_boxes(boxes_xyxy: Tensor, ratio: float, height: int, width: int) -> Tensor:
    """Scale boxes `(V, 4)` about their centres, cut them to whole pixels toward 0, keep them
    inside.

    ratio: at least 1, else a small box could lose its last pixel.
    """
    if ratio < 1:
        raise UserError(f"expand = {ratio}: boxes can only grow, allowed: 1.0 or more")
    boxes = boxes_xyxy.double()
    centres = (boxes[:, :2] + boxes[:, 2:]) / 2
    halves = (boxes[:, 2:] - boxes[:, :2]) * (ratio / 2)
    grown = torch.cat([centres - halves, centres + halves], dim=1).trunc().long()
    limit = torch.tensor([width, height, width, height], device=grown.device)
    return torch.minimum(grown.clamp(min=0), limit)


def cut_regions(
    picture: Tensor, masks: Tensor, view: RegionView, size: int, mean: Tensor, std: Tensor
) -> Regions:
    """Cut every valid mask out of one picture.

    picture: (3, H, W) RGB, uint8 or float, 0..255. masks: (Q, H, W), bool or float 0..1, of which
    a pixel is foreground strictly above `view.threshold`.
    size: side S of CLIP's picture in pixels. mean, std: (3,), of pixels in 0..1.
    No valid mask gives empty tensors. UserError when sizes or options do not fit.
    """
    if tuple(picture.shape[-2:]) != tuple(masks.shape[-2:]):
        raise UserError(
            f"picture of {tuple(picture.shape[-2:])} and masks of {tuple(masks.shape[-2:])} pixels "
            "(height, width): expected the same size"
        )
    if masks.dtype != torch.bool:
        masks = masks > view.threshold
    valid = masks.flatten(1).any(dim=1) if masks.numel() else masks.new_zeros(len(masks))
    masks = masks[valid]
    boxes = _boxes(masks, view, *picture.shape[-2:])
    fill = "preserve" if view.region == "crop" else view.fill
    images = torch.empty(len(boxes), 3, size, size, device=picture.device)
    region_masks = torch.empty(len(boxes), size, size, device=picture.device, dtype=torch.bool)
    for i, (x1, y1, x2, y2) in enumerate(boxes.tolist()):
        images[i], region_masks[i] = region_of_crop(
            picture[:, y1:y2, x1:x2], masks[i, y1:y2, x1:x2], size, mean, std, fill
        )
    return Regions(valid, boxes, images, region_masks)


def _boxes(masks: Tensor, view: RegionView, height: int, width: int) -> Tensor:
    if view.region == "mask":
        return torch.tensor([[0, 0, width, height]], device=masks.device).repeat(len(masks), 1)
    return expand_boxes(masks_to_boxes(masks), view.expand, height, width)


def region_of_crop(
    crop: Tensor, mask: Tensor, size: int, mean: Tensor, std: Tensor, fill: Fill = "mean"
) -> tuple[Tensor, Tensor]:
    """Turn one crop `(3, h, w)` RGB 0..255 and its mask `(h, w)` bool into CLIP's input.

    Returns the picture `(3, S, S)` float32, filled, normalised and resized (bicubic without
    antialiasing), and the mask `(S, S)` bool, resized by nearest.
    """
    pixels = crop.float()
    if fill in ("mean", "zero"):
        alpha = mask.float()
        colour = mean.view(3, 1, 1) * 255 if fill == "mean" else pixels.new_zeros(3, 1, 1)
        pixels = pixels * alpha + (1 - alpha) * colour
    elif fill != "preserve":
        raise UserError(f"fill = {fill!r}: allowed: {', '.join(get_args(Fill))}")
    pixels = (pixels / 255 - mean.view(3, 1, 1)) / std.view(3, 1, 1)
    image = F.interpolate(pixels[None], (size, size), mode="bicubic", align_corners=False)[0]
    return image, F.interpolate(mask[None, None].float(), (size, size))[0, 0].to(mask.dtype)
