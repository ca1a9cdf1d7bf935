"""Count the ground-truth masks that some proposal covers: arrays in, numbers out.

Class-agnostic recall at an intersection over union, for objects of the closed set and for objects
that were never labelled: the segmenter's side of open vocabulary (paper section 3.1).
"""

from collections.abc import Iterable

import numpy as np

from pipeline.data.rle import encode_masks, overlaps


def best_overlaps(proposals: np.ndarray, truth: np.ndarray) -> np.ndarray:
    """Return the largest IoU of every ground-truth mask with any proposal.

    proposals (Q,H,W) bool, truth (N,H,W) bool -> (N,) float64 in [0,1]. Without proposals every
    value is 0; an empty ground-truth mask has 0; Q and N may be 0.
    """
    assert proposals.shape[1:] == truth.shape[1:], (proposals.shape, truth.shape)
    return overlaps(encode_masks(truth), encode_masks(proposals)).max(axis=1, initial=0)


def recall(
    values: Iterable[float], closed: Iterable[bool], threshold: float = 0.5
) -> dict[str, float | int | None]:
    """Compute the share of ground-truth masks whose best overlap is at least `threshold`.

    values: best overlap of each ground-truth mask of all pictures; closed: whether its class is in
    the closed set. Returns `recall_closed`, `recall_never_labelled`, `recall_all` (None where there
    is nothing to recall), the mean best overlaps and the counts.
    """
    best = np.asarray(list(values), dtype=np.float64)
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
