"""Count the ground-truth masks that some proposal covers: arrays in, numbers out.

Class-agnostic recall at an intersection over union, for objects of the closed set and for objects
that were never labelled: the segmenter's side of open vocabulary (paper section 3.1).
"""

from collections.abc import Iterable

import numpy as np


def best_overlaps(proposals: np.ndarray, truth: np.ndarray) -> np.ndarray:
    """Return the largest IoU of every ground-truth mask with any proposal.

    proposals (Q,H,W) bool, truth (N,H,W) bool -> (N,) float64 in [0,1]. Without proposals every
    value is 0; an empty ground-truth mask has 0; Q and N may be 0.
    """
    assert proposals.shape[1:] == truth.shape[1:], (proposals.shape, truth.shape)
    if not len(proposals) or not len(truth):
        return np.zeros(len(truth))
    a, b = (masks.reshape(len(masks), -1).astype(np.float64) for masks in (truth, proposals))
    overlap = a @ b.T
    union = a.sum(1)[:, None] + b.sum(1)[None] - overlap
    return (overlap / np.maximum(union, 1)).max(1)


def recall(
    overlaps: Iterable[float], closed: Iterable[bool], threshold: float = 0.5
) -> dict[str, float | int | None]:
    """Compute the share of ground-truth masks whose best overlap is at least `threshold`.

    overlaps: one value per ground-truth mask of all pictures; closed: whether its class is in the
    closed set. Returns `recall_closed`, `recall_never_labelled`, `recall_all` (None where there is
    nothing to recall), the mean best overlaps and the counts.
    """
    best = np.asarray(list(overlaps), dtype=np.float64)
    inside = np.asarray(list(closed), dtype=bool)
    assert best.shape == inside.shape, (best.shape, inside.shape)
    result: dict[str, float | int | None] = {}
    groups = {"closed": inside, "never_labelled": ~inside, "all": np.ones_like(inside)}
    for name, chosen in groups.items():
        count = int(chosen.sum())
        hits = best[chosen] >= threshold
        result[f"recall_{name}"] = float(hits.mean()) if count else None
        result[f"overlap_{name}"] = float(best[chosen].mean()) if count else None
        result[f"objects_{name}"] = count
    return result
