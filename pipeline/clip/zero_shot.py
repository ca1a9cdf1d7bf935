"""Measure how often CLIP names a picture right: the gap between ordinary pictures and crops cut out
along a mask motivates the paper (section 1)."""

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from pipeline.clip.encode import encode_regions
from pipeline.clip.templates import VILD_TEMPLATES
from pipeline.clip.text import class_features
from pipeline.clip.tower import MaskClip
from pipeline.clip.view import RegionView

PICTURES_A_PASS = 64


def top1_accuracy(features: Tensor, text_features: Tensor, labels: Tensor) -> float:
    """Compute the share of pictures that are nearest to their own name, 0..1.

    features (N, D) need not be normalised, text_features (K, D), labels (N,) in 0..K-1.
    No pictures: nan.
    """
    if len(features) == 0:
        return float("nan")
    nearest = (F.normalize(features.float(), dim=-1) @ text_features.T).argmax(dim=1)
    return float((nearest == labels.to(nearest.device)).double().mean())


def zero_shot_accuracy(
    clip: MaskClip,
    images: Sequence[np.ndarray],
    masks: Sequence[np.ndarray] | None,
    labels: Sequence[str],
    names: Sequence[str],
) -> float:
    """Measure the zero-shot top-1 accuracy of `clip`, 0..1: each picture's label among `names`.

    images: uint8 (H_i, W_i, 3) RGB. masks: bool (H_i, W_i), none empty; outside them CLIP's mean
    colour is filled in, and its mask prompts, if any, are used; None shows the pictures whole.
    labels: one of `names` for each picture.
    """
    row = {name: i for i, name in enumerate(names)}
    targets = torch.tensor([row[label] for label in labels])
    view = RegionView(region="mask", fill="mean")
    if masks is None:
        view = RegionView(region="mask", fill="preserve", prompts=False)
        masks = [np.ones(image.shape[:2], bool) for image in images]
    pictures = [
        (torch.from_numpy(image).permute(2, 0, 1), torch.from_numpy(mask)[None])
        for image, mask in zip(images, masks, strict=True)
    ]
    found = encode_regions(clip, pictures, view, PICTURES_A_PASS)
    features = [regions.features for regions in found]
    encoded = torch.cat(features) if features else clip.mean.new_zeros((0, 1))
    return top1_accuracy(encoded, class_features(clip, names, VILD_TEMPLATES), targets)
