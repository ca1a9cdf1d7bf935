"""Masks as COCO run lengths (pycocotools): compact, with exact area, box and overlap."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from pycocotools import mask as coco

from pipeline.core.records import ProposalRecord

Rle = dict  # {"size": [height, width], "counts": bytes}


def encode_masks(masks: np.ndarray) -> list[Rle]:
    """Encode bool (N, H, W) as N compressed run lengths, column by column."""
    if not len(masks):
        return []
    return coco.encode(np.asfortranarray(masks.transpose(1, 2, 0), dtype=np.uint8))


def to_rle(record: ProposalRecord) -> Rle:
    """Return the mask of a record in pycocotools' form."""
    return {"size": [record.height, record.width], "counts": record.rle}


def decode_masks(rles: Sequence[Rle], height: int, width: int) -> np.ndarray:
    """Decode N run lengths of height x width pixels to bool (N, H, W); N may be 0."""
    if not rles:
        return np.zeros((0, height, width), bool)
    return np.ascontiguousarray(coco.decode(list(rles)).transpose(2, 0, 1)).astype(bool)


def areas(rles: Sequence[Rle]) -> np.ndarray:
    """Count foreground pixels, int64 (N,)."""
    return np.asarray(coco.area(list(rles)), dtype=np.int64) if rles else np.zeros(0, np.int64)


def overlaps(a: Sequence[Rle], b: Sequence[Rle]) -> np.ndarray:
    """Compute the IoU of every pair, float64 (len(a), len(b)) in 0..1."""
    if not a or not b:
        return np.zeros((len(a), len(b)))
    return np.asarray(coco.iou(list(a), list(b), [0] * len(b)), dtype=np.float64)


def run_lengths(counts: Any) -> np.ndarray | None:
    """Decode a COCO mask's "counts", a list of numbers or the text that pycocotools writes, to run
    lengths, int64 (N,). None for anything else, or if a run is negative.

    In the text, each run from the fourth on is stored as its difference to the run two before it.
    Numbers are cut into groups of 5 bits, lowest first; bit 6 of a group says that another follows,
    bit 5 of the last group is the sign. A group is one character, counted from "0".
    """
    if isinstance(counts, list):
        if not all(type(run) is int and 0 <= run < 2**32 for run in counts):
            return None
        return np.array(counts, np.int64)
    if isinstance(counts, str):
        counts = counts.encode("utf-8", "replace")
    if not isinstance(counts, bytes):
        return None
    groups = np.frombuffer(counts, np.uint8).astype(np.int64) - 48
    if not len(groups):
        return groups
    last = (groups & 32) == 0
    if groups.min() < 0 or groups.max() > 63 or not last[-1]:
        return None
    starts = np.concatenate([[0], np.flatnonzero(last)[:-1] + 1])
    place = np.arange(len(groups)) - np.repeat(starts, np.diff([*starts, len(groups)]))
    if place.max() > 6:  # more than the 32 bits of a run
        return None
    runs = np.add.reduceat((groups & 31) << 5 * place, starts)
    negative = (groups[last] & 16) > 0
    runs -= np.where(negative, 1 << 5 * (place[last] + 1), 0)
    for first in (1, 2):
        runs[first::2] = np.cumsum(runs[first::2])
    return None if runs.min() < 0 else runs
