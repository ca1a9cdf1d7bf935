"""Propose masks: pictures at the size of the networks' input -> masks without names."""

import math
from bisect import bisect_right
from dataclasses import dataclass
from itertools import groupby

import numpy as np
import torch
from detectron2.data.transforms import ResizeShortestEdge
from PIL import Image
from torch import Tensor

from pipeline.clip.view import MAX_INPUT_PIXELS
from pipeline.core.modes import Precision
from pipeline.core.precision import in_precision
from pipeline.maskformer.maskformer import MaskFormer
from pipeline.maskformer.masks import MaskChoice, choose_masks
from pipeline.maskformer.per_image_conv import PerImageConv

UNLIMITED = 2**31
"""A long side beyond that of any picture."""

_PADDED_TO = 32
"""The segmenter pads both sides to multiples of this, which counts in hair-thin pictures."""

MIN_PIXELS = _PADDED_TO**2
"""The smallest limit that can be set."""


@dataclass(frozen=True)
class Proposals:
    """Masks of one picture of height h, width w: M of them, without names."""

    masks: Tensor
    """float32 `(M, h, w)`: probability that the pixel belongs to the mask, 0..1."""
    class_embed: Tensor
    """float32 `(M, D)`, any norm: what `MaskFormer.class_probabilities` compares with text."""


def input_size(
    height: int,
    width: int,
    short_side: int | None,
    long_side: int | None = None,
    max_pixels: int | None = MAX_INPUT_PIXELS,
) -> tuple[int, int]:
    """Return height and width of the networks' input for a picture of `height` x `width` pixels.

    The short side becomes `short_side`, or stays without one; less where the long side would pass
    `long_side`, as detectron2 does at test time; less still where the picture, padded for the
    segmenter, would have more than `max_pixels` (None: any number).
    """
    if short_side is not None or max(height, width) > (long_side or UNLIMITED):
        height, width = ResizeShortestEdge.get_output_shape(
            height, width, short_side or min(height, width), long_side or UNLIMITED
        )
        height, width = max(1, height), max(1, width)  # a hair-thin picture keeps a pixel
    longest = max(height, width)

    def scaled(side: int) -> tuple[int, int]:
        """Return the picture with `side` as its long side."""
        return max(1, round(height * side / longest)), max(1, round(width * side / longest))

    def padded_pixels(side: int) -> int:
        return math.prod(-(-length // _PADDED_TO) * _PADDED_TO for length in scaled(side))

    if max_pixels is None or padded_pixels(longest) <= max_pixels:
        return height, width
    return scaled(bisect_right(range(1, longest), max_pixels, key=padded_pixels))


def resize_input(
    image: np.ndarray,
    short_side: int | None,
    long_side: int | None = None,
    max_pixels: int | None = MAX_INPUT_PIXELS,
) -> Tensor:
    """Resize a picture to the input of both branches: uint8 RGB `(H, W, 3)` to uint8 `(3, h, w)`, h
    and w as by `input_size`. The filter is detectron2's."""
    original_hw: tuple[int, int] = image.shape[:2]
    height, width = input_size(*original_hw, short_side, long_side, max_pixels)
    if (height, width) == original_hw:
        return torch.from_numpy(image).permute(2, 0, 1)
    resized = Image.fromarray(image).resize((width, height), Image.Resampling.BILINEAR)
    return torch.from_numpy(np.array(resized)).permute(2, 0, 1)


@torch.inference_mode()
def propose(
    segmenter: MaskFormer,
    images: list[Tensor],
    precision: Precision = "float32",
    out_hw: tuple[int, int] | None = None,
    choice: MaskChoice = MaskChoice(),  # noqa: B008 - frozen
) -> list[Proposals]:
    """Propose masks for pictures, each RGB 0..255 `(3, h, w)`, in input order.

    precision: of the network. out_hw: size of the masks, None is the picture's. choice: which
    masks are kept. Class names are not needed. Neighbours of one size share a forward pass;
    pictures of different sizes never do, since padding one to the other's size would change its
    masks.
    """
    device = segmenter.mean.device
    found: list[Proposals] = []
    for _, group in groupby(images, key=lambda image: image.shape):
        pictures = [image.to(device) for image in group]
        with in_precision(device, precision), PerImageConv():
            layers, padded_hw = segmenter.embed(pictures)
        for i, picture in enumerate(pictures):
            masks = choose_masks(layers, padded_hw, i, choice)
            height, width = picture.shape[1:]
            found.append(Proposals(masks.probabilities((height, width), out_hw), masks.class_embed))
    return found
