"""Masks cut out of a picture for CLIP (paper, section 3.1; conventions 2, 3 and 4)."""

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from tests.reference.layers import resize


@dataclass
class Cut:
    """One mask. tight, box: xyxy with exclusive ends, before and after expanding; picture
    (3, S, S) normalised; mask (S, S) in 0..1; plain: the picture in 0..255, not normalised."""

    tight: tuple[int, int, int, int]
    box: tuple[int, int, int, int]
    picture: Tensor
    mask: Tensor
    plain: Tensor


def foreground(probability: Tensor, threshold: float) -> Tensor:
    """Pixels strictly above the threshold, as float32 sees both (convention 2)."""
    return probability.float() > float(np.float32(threshold))


def is_valid(probability: Tensor, threshold: float) -> bool:
    """Convention 2: any pixel strictly above the threshold."""
    return any(bool(row.any()) for row in foreground(probability, threshold))


def tight_box(mask: Tensor) -> tuple[int, int, int, int]:
    """Convention 3: x2 and y2 are one past the last pixel."""
    pixels = [(x, y) for y, row in enumerate(mask.tolist()) for x, hit in enumerate(row) if hit]
    xs, ys = [x for x, _ in pixels], [y for _, y in pixels]
    return min(xs), min(ys), max(xs) + 1, max(ys) + 1


def expanded(box: tuple, ratio: float, height: int, width: int) -> tuple[int, int, int, int]:
    """Convention 3: about the centre, int(), kept inside the picture."""
    x1, y1, x2, y2 = box
    x, y = (x1 + x2) / 2, (y1 + y2) / 2
    half_width, half_height = (x2 - x1) * ratio / 2, (y2 - y1) * ratio / 2
    return (
        max(int(x - half_width), 0),
        max(int(y - half_height), 0),
        min(int(x + half_width), width),
        min(int(y + half_height), height),
    )


def cut(
    image: Tensor,
    probability: Tensor,
    threshold: float,
    size: int,
    mean: list[float],
    std: list[float],
    fill: str,
    expand: float,
    matting: bool = False,
) -> Cut:
    """One valid mask (H, W) of a picture (3, H, W) in 0..255.

    Convention 4: the raw crop is filled, then normalised, then resized to a square, picture
    bicubic and mask nearest.
    """
    mask = foreground(probability, threshold)
    tight = tight_box(mask)
    x1, y1, x2, y2 = box = expanded(tight, expand, *mask.shape)
    alpha = (probability if matting else mask).double()[y1:y2, x1:x2]
    crop, pictures = image.double()[:, y1:y2, x1:x2], []
    for channel in range(3):
        background = {"mean": mean[channel] * 255, "zero": 0.0}[fill]
        filled = crop[channel] * alpha + (1 - alpha) * background
        pictures.append((filled / 255 - mean[channel]) / std[channel])
    picture = resize(torch.stack(pictures), (size, size), "bicubic")
    plain = torch.stack([(picture[c] * std[c] + mean[c]) * 255 for c in range(3)])
    return Cut(tight, box, picture, resize(alpha, (size, size), "nearest"), plain)
