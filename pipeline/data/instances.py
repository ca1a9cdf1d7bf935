"""Masks of objects out of a COCO instances file, everything of one category in a picture together.

For measuring only; crowds are left out.
"""

import contextlib
import os
from collections import defaultdict
from pathlib import Path

import numpy as np
from pycocotools.coco import COCO

from pipeline.errors import UserError

ANNOTATIONS = ("annotations/instances_all_val2017.json", "annotations/instances_val2017.json")


def instances_file(root: Path) -> Path | None:
    """The COCO file with the most objects under a data-set root, None where there is none."""
    return next((root / name for name in ANNOTATIONS if (root / name).is_file()), None)


class TrueMasks:
    """Category names and masks of the pictures in a COCO instances file."""

    def __init__(self, path: Path) -> None:
        with open(os.devnull, "w") as silent, contextlib.redirect_stdout(silent):
            self.coco = COCO(str(path))

    def of(self, image_id: int, hw: tuple[int, int]) -> dict[str, np.ndarray]:
        """{category name: (H,W) bool}, names ascending; {} for a picture without objects.

        hw: of the picture. UserError where its objects are of another size.
        """
        masks: dict[str, np.ndarray] = defaultdict(lambda: np.zeros(hw, bool))
        for entry in self.coco.loadAnns(self.coco.getAnnIds([image_id], iscrowd=0)):
            name = self.coco.cats[entry["category_id"]]["name"]
            mask = self.coco.annToMask(entry).astype(bool)
            if mask.shape != hw:
                raise UserError(
                    f"picture {image_id} is of {hw} pixels (height, width), its {name} in the "
                    f"instances file of {mask.shape}"
                )
            masks[name] |= mask
        return {name: masks[name] for name in sorted(masks) if masks[name].any()}
