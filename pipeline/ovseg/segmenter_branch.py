"""First branch: the segmenter's masks, and its own opinion of what each mask shows."""

from dataclasses import dataclass
from itertools import groupby

import numpy as np
import torch
from detectron2.data.transforms import ResizeShortestEdge
from torch import Tensor

from pipeline.ovseg.ensemble import segmenter_probabilities
from pipeline.segmenter.inference import mask_probabilities
from pipeline.segmenter.maskformer import MaskFormer


@dataclass(frozen=True)
class Proposals:
    """What the segmenter says of one picture of height h, width w: Q queries, K classes."""

    masks: Tensor
    """float32 `(Q, h, w)`: probability that the pixel belongs to the query's mask, 0..1."""
    classes: Tensor
    """float32 `(Q, K)`: probability of each class; 1 - row sum = probability of no object."""


def resize_for_test(
    image: np.ndarray, short_side: int | None, long_side: int | None = None
) -> np.ndarray:
    """The picture at the size the segmenter is tested at: uint8 `(H, W, 3)` to `(h, w, 3)`.

    The short side becomes `short_side`, less where the long side would pass `long_side`; None
    keeps the picture's own size.
    """
    if short_side is None:
        return image
    resize = ResizeShortestEdge([short_side], long_side or 2**31)
    return resize.get_transform(image).apply_image(image)


@torch.inference_mode()
def propose(
    segmenter: MaskFormer, images: list[np.ndarray], text_features: Tensor
) -> list[Proposals]:
    """Run the segmenter on pictures, each uint8 RGB `(h, w, 3)`.

    text_features: `(K, D)` unit norm. Neighbours of one size share a forward pass; pictures of
    different sizes never do, since padding one to the other's size would change its masks.
    """
    device = text_features.device
    found: list[Proposals] = []
    for _, group in groupby(images, key=lambda image: image.shape):
        tensors = [torch.from_numpy(image).to(device).permute(2, 0, 1).float() for image in group]
        output = segmenter(tensors, text_features)
        for i, tensor in enumerate(tensors):
            height, width = tensor.shape[1:]
            found.append(
                Proposals(
                    masks=mask_probabilities(output, i, (height, width)),
                    classes=segmenter_probabilities(output.pred_logits[i]),
                )
            )
    return found
