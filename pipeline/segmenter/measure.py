"""Mask recall of a segmenter on held-out pictures with instance ground truth.

Ground truth is a COCO instances file. One ground-truth mask is everything of one category in a
picture, since the segmenter learns one mask per class (paper section 3.1); crowds are left out.
"""

import contextlib
import os
from collections import defaultdict
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from pycocotools.coco import COCO
from torch import Tensor

from pipeline.data.images import read_image
from pipeline.ovseg.segmenter_branch import at_test_size, propose
from pipeline.progress import track
from pipeline.records import ImageRecord
from pipeline.segmenter.maskformer import MaskFormer
from pipeline.segmenter.recall import best_overlaps, recall

ANNOTATIONS = ("annotations/instances_all_val2017.json", "annotations/instances_val2017.json")
BATCH = 8


def instances_file(root: Path) -> Path | None:
    """The COCO file with the most objects under a data-set root, None where there is none."""
    return next((root / name for name in ANNOTATIONS if (root / name).is_file()), None)


class TrueMasks:
    """Category names and masks of the pictures in a COCO instances file."""

    def __init__(self, path: Path) -> None:
        with open(os.devnull, "w") as silent, contextlib.redirect_stdout(silent):
            self.coco = COCO(str(path))

    def of(self, image_id: int, hw: tuple[int, int]) -> dict[str, np.ndarray]:
        """{category name: (H,W) bool}, names ascending; {} for a picture without objects."""
        masks: dict[str, np.ndarray] = defaultdict(lambda: np.zeros(hw, bool))
        for entry in self.coco.loadAnns(self.coco.getAnnIds([image_id], iscrowd=0)):
            name = self.coco.cats[entry["category_id"]]["name"]
            masks[name] |= self.coco.annToMask(entry).astype(bool)
        return {name: masks[name] for name in sorted(masks) if masks[name].any()}


@dataclass(frozen=True)
class Measure:
    """How recall is measured."""

    short_side: int | None  # pictures are resized to this short side; None: as they are
    long_side: int | None  # and no more than this long side; None: any
    mask_threshold: float  # a proposal is where its probability is above this
    overlap: float  # intersection over union at which a mask counts as found


@torch.inference_mode()
def measure_recall(
    segmenter: MaskFormer,
    text_features: Tensor,
    root: Path,
    records: Sequence[ImageRecord],
    truth: TrueMasks,
    closed: Collection[str],
    how: Measure,
) -> dict[str, float | int | None]:
    """Recall of everything in `truth` by the masks of all queries, see `recall`.

    Compared at the size the segmenter sees. Pictures that cannot be read are left out. closed:
    names of the trained classes.
    """
    overlaps: list[float] = []
    inside: list[bool] = []
    for start in track(range(0, len(records), BATCH), -(-len(records) // BATCH), "mask recall"):
        images, wanted = [], []
        for record in records[start : start + BATCH]:
            with contextlib.suppress(ValueError, FileNotFoundError):
                image = read_image(root / record.path)
                images.append(at_test_size(image, how.short_side, how.long_side))
                wanted.append(truth.of(record.image_id, image.shape[:2]))
        for found, masks in zip(propose(segmenter, images, text_features), wanted, strict=True):
            proposals = (found.masks > how.mask_threshold).cpu().numpy()
            truths = _resized(list(masks.values()), proposals.shape[1:])
            overlaps += best_overlaps(proposals, truths).tolist()
            inside += [name in closed for name in masks]
    return recall(overlaps, inside, how.overlap)


def _resized(masks: list[np.ndarray], hw: tuple[int, int]) -> np.ndarray:
    """Masks of one size -> (N,*hw) bool by nearest neighbours; N may be 0."""
    if not masks:
        return np.zeros((0, *hw), bool)
    stack = torch.from_numpy(np.stack(masks))[:, None].float()
    return torch.nn.functional.interpolate(stack, hw, mode="nearest")[:, 0].numpy() > 0.5
