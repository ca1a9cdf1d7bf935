"""The two oracles of the paper's motivation (table 1): perfect masks, or perfect names."""

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from pipeline.evaluate.confusion import NOTHING


def present_classes(truth: np.ndarray, ignore_label: int) -> list[int]:
    """Return the class ids in a label map, ascending, without the ignore label."""
    return [int(value) for value in np.unique(truth) if value != ignore_label]


def paint_classes(truth: np.ndarray, renamed: dict[int, int]) -> np.ndarray:
    """Paint every class region of `truth` under its new name: int32, -1 elsewhere."""
    painted = np.full(truth.shape, NOTHING, dtype=np.int32)
    for true_class, name in renamed.items():
        painted[truth == true_class] = name
    return painted


def majority_names(
    masks: Tensor, truth: np.ndarray, classes: int, ignore_label: int, threshold: float
) -> Tensor:
    """Name every mask by the true class that most of its pixels have.

    masks: `(Q, h, w)` in 0..1, cut at `threshold`. truth: `(H, W)`, brought to the size of the
    masks by nearest neighbour; ignored pixels do not count.
    Returns `(Q, K)` one-hot class probabilities; a row of 0 where a mask has no labelled pixel.
    """
    names = masks.new_zeros((len(masks), classes))
    small = F.interpolate(
        torch.from_numpy(truth)[None, None].to(masks.device, torch.float64),
        size=masks.shape[1:],
        mode="nearest-exact",
    ).long()[0, 0]
    present = present_classes(small.cpu().numpy(), ignore_label)
    if not present or not len(masks):
        return names
    ids = torch.tensor(present, device=masks.device)
    is_class = (small.flatten()[:, None] == ids).to(masks.dtype)  # (h*w, M)
    votes = (masks > threshold).flatten(1).to(masks.dtype) @ is_class  # (Q, M)
    named = votes.amax(dim=1) > 0
    names[named, ids[votes.argmax(dim=1)[named]]] = 1.0
    return names
