"""From a picture to mask probabilities at its own size (conventions 1 and 2 of the original)."""

import numpy as np
import torch
from detectron2.data.transforms import ResizeShortestEdge, ResizeTransform
from PIL import Image
from torch import Tensor
from torch.nn import functional as F

from pipeline.segmenter.maskformer import SegmenterOutput


def to_test_size(image: np.ndarray, short_side: int, long_side: int) -> Tensor:
    """(H,W,3) uint8 RGB -> (3,h,w) uint8: shortest side `short_side`, longest at most `long_side`.

    Pillow's bilinear filter, as detectron2 resizes; at least one pixel in each direction.
    """
    height, width = image.shape[:2]
    new_h, new_w = ResizeShortestEdge.get_output_shape(height, width, short_side, long_side)
    resize = ResizeTransform(height, width, max(1, new_h), max(1, new_w), Image.BILINEAR)
    return torch.from_numpy(resize.apply_image(image).transpose(2, 0, 1).copy())


def mask_probabilities(
    output: SegmenterOutput,
    i: int,
    image_hw: tuple[int, int],
    out_hw: tuple[int, int] | None = None,
) -> Tensor:
    """Foreground probabilities of picture i of the batch: (Q,H,W) float32 in [0,1].

    The logits are enlarged bilinearly to the padded size, cropped to `image_hw` (the size that
    went into the segmenter) and squashed; then, where `out_hw` is given, resized bilinearly.
    """
    logits = F.interpolate(
        output.pred_masks[i : i + 1], output.padded_hw, mode="bilinear", align_corners=False
    )
    masks = logits[:, :, : image_hw[0], : image_hw[1]].sigmoid()
    if out_hw is not None and tuple(out_hw) != tuple(image_hw):
        masks = F.interpolate(masks, out_hw, mode="bilinear", align_corners=False)
    return masks[0]


def objectness(output: SegmenterOutput, i: int) -> Tensor:
    """1 - p(no object) of every query of picture i: (Q,) float32 in [0,1]."""
    return 1 - output.pred_logits[i].softmax(-1)[:, -1]
