"""A small share of the pairs that fine-tuning never sees: does CLIP name them better by now?"""

import zlib

import numpy as np
import torch
from torch import Tensor

from pipeline.clip.encode import encode_cut
from pipeline.clip.tower import MaskClip
from pipeline.clip.view import RegionView
from pipeline.clip.zero_shot import PICTURES_A_PASS, top1_accuracy
from pipeline.finetune.augment import RegionSet


def hold_out(image_ids: np.ndarray, share: float, max_pairs: int) -> tuple[np.ndarray, np.ndarray]:
    """Split pairs by their picture: (indices to train on, indices held out), both ascending.

    A picture is held out by a hash of its id, so the split does not change with the seed, the
    order or the number of pairs, and no picture stands on both sides. At most `max_pairs` pairs are
    held out. Where every picture would be, none is.
    """
    ids = np.unique(image_ids)
    hashes = np.array([zlib.crc32(str(i).encode()) for i in ids.tolist()], np.float64)
    picked = ids[hashes < share * 2**32]
    held = np.flatnonzero(np.isin(image_ids, picked))[:max_pairs]
    held_images = np.unique(image_ids[held])
    train = np.flatnonzero(~np.isin(image_ids, held_images))
    if len(train) == 0:
        return np.arange(len(image_ids)), held[:0]
    return train, held


@torch.no_grad()
def accuracy(
    clip: MaskClip,
    regions: RegionSet,
    indices: np.ndarray,
    text_features: Tensor,
    view: RegionView,
) -> float:
    """Compute the share of these pairs whose noun is the nearest of all nouns, 0..1; nan without
    pairs."""
    features = []
    device = clip.mean.device
    for start in range(0, len(indices), PICTURES_A_PASS):
        part = indices[start : start + PICTURES_A_PASS]
        cut = [regions.region(regions.pairs[int(i)]) for i in part]
        images, masks = (torch.stack(column).to(device) for column in zip(*cut, strict=True))
        features.append(encode_cut(clip, images, masks, view))
    if not features:
        return float("nan")
    labels = torch.from_numpy(regions.pairs.noun_ids[indices])
    return top1_accuracy(torch.cat(features), text_features, labels)
