"""Masks as COCO run lengths (pycocotools): compact, with exact area, box and overlap."""

from collections.abc import Sequence

import numpy as np
from pycocotools import mask as coco

from pipeline.records import ProposalRecord

Rle = dict  # {"size": [height, width], "counts": bytes}


def encode_masks(masks: np.ndarray) -> list[Rle]:
    """bool (N, H, W) -> N run lengths, compressed, column by column."""
    if not len(masks):
        return []
    return coco.encode(np.asfortranarray(masks.transpose(1, 2, 0), dtype=np.uint8))


def to_rle(record: ProposalRecord) -> Rle:
    """The mask of a record as pycocotools takes it."""
    return {"size": [record.height, record.width], "counts": record.rle}


def decode_masks(rles: Sequence[Rle], height: int, width: int) -> np.ndarray:
    """N run lengths of height x width pixels -> bool (N, H, W); N may be 0."""
    if not rles:
        return np.zeros((0, height, width), bool)
    return np.ascontiguousarray(coco.decode(list(rles)).transpose(2, 0, 1)).astype(bool)


def areas(rles: Sequence[Rle]) -> np.ndarray:
    """Foreground pixels, int64 (N,)."""
    return np.asarray(coco.area(list(rles)), dtype=np.int64) if rles else np.zeros(0, np.int64)


def tight_boxes(rles: Sequence[Rle]) -> np.ndarray:
    """Boxes xyxy int64 (N, 4) in pixels, x2 and y2 exclusive; all 0 for an empty mask."""
    if not rles:
        return np.zeros((0, 4), np.int64)
    boxes = np.asarray(coco.toBbox(list(rles)), dtype=np.int64)
    return np.concatenate([boxes[:, :2], boxes[:, :2] + boxes[:, 2:]], axis=1)


def overlaps(a: Sequence[Rle], b: Sequence[Rle]) -> np.ndarray:
    """Intersection over union of every pair, float64 (len(a), len(b)) in 0..1."""
    if not a or not b:
        return np.zeros((len(a), len(b)))
    return np.asarray(coco.iou(list(a), list(b), [0] * len(b)), dtype=np.float64)
