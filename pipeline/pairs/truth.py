"""Whether a mask really shows its noun: the precision that the paper could not measure."""

import numpy as np

COVERS = 0.5
"""Intersection over union with everything of that noun in the picture."""


def covers(
    mask: np.ndarray, noun: str, true: dict[str, np.ndarray] | None, groups: dict[str, str]
) -> bool | None:
    """Return whether `mask`, bool (H, W), overlaps all of `noun` in the picture by at least one
    half.

    true: what the picture shows, noun to mask, None when nobody labelled it; groups: the nouns
    that ground truth can tell of. None when it cannot tell: the noun is not among them.
    """
    if true is None or noun not in groups:
        return None
    region = true.get(noun)
    if region is None:
        return False
    both = np.logical_and(mask, region).sum()
    return bool(both >= COVERS * np.logical_or(mask, region).sum())
