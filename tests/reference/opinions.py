"""What both branches say, how it is mixed, and the map (paper, sections 3.1 and 4; conventions 2,
5, 6 and 7)."""

import torch
from torch import Tensor

from tests.reference.layers import resize, sigmoid, softmax, unit


def mask_probabilities(
    logits: Tensor, padded_hw: tuple[int, int], image_hw: tuple[int, int]
) -> Tensor:
    """(Q, h, w) logits -> (Q, H, W): enlarged to the padded size, cropped, squashed (2)."""
    height, width = image_hw
    return sigmoid(resize(logits, padded_hw, "bilinear")[:, :height, :width])


def segmenter_opinion(logits: Tensor) -> Tensor:
    """(Q, K + 1) -> (Q, K): softmax with "no object", then without its column (6)."""
    return softmax(logits)[:, :-1]


def clip_logits(features: Tensor, text: Tensor) -> Tensor:
    """(V, D) and (K, D) of unit norm -> (V, K), the temperature fixed at 100 (5)."""
    return 100 * unit(features) @ text.T


def clip_opinion(logits: Tensor, valid: list[bool], invalid: float) -> Tensor:
    """(V, K) without the column of "no object" -> (Q, K): softmax, and `invalid` for the masks
    that CLIP cannot see: 1 in the ensemble, 0 where CLIP is alone (6)."""
    rows = iter(softmax(logits))
    nothing = torch.full_like(logits[0], invalid)
    return torch.stack([next(rows) if seen else nothing for seen in valid])


def ensemble(segmenter: Tensor, clip: Tensor, weight: float) -> Tensor:
    """p^(1-w) * clip^w, not made to sum to 1 again (6)."""
    return segmenter ** (1 - weight) * clip**weight


def semantic_map(classes: Tensor, masks: Tensor, out_hw: tuple[int, int]) -> Tensor:
    """(Q, K) and soft masks (Q, H, W) -> (K, *out_hw): summed over queries, then resized (7)."""
    total = torch.zeros(classes.shape[1], *masks.shape[1:], dtype=torch.float64)
    for probabilities, mask in zip(classes, masks, strict=True):
        for k, probability in enumerate(probabilities):
            total[k] += probability * mask
    return resize(total, out_hw, "bilinear")


def free_text_map(clip: Tensor, valid: list[bool], cut: Tensor, named: int) -> Tensor:
    """The demo: each of the first `named` names takes the one query that CLIP scores highest for
    it; masks (Q, H, W) are cut to 0 and 1. -> (K, H, W)"""
    seen = [query for query, ok in enumerate(valid) if ok]
    taken = {max(seen, key=lambda query: float(clip[query, k])) for k in range(named)}
    total = torch.zeros(clip.shape[1], *cut.shape[1:], dtype=torch.float64)
    for query in taken:
        total += clip[query].view(-1, 1, 1) * cut[query].double()
    return total
