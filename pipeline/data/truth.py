"""What a picture really shows, where someone has labelled it: for measuring, never for training.

Two sources: the label map of the closed set, and, in the OpenMoji world, the file of every object
(`annotations/instances_all_<split>2017.json`), which also has the nouns that were never labelled
for the segmenter.
"""

from functools import lru_cache
from pathlib import Path

import numpy as np

from pipeline.core.errors import UserError
from pipeline.core.records import ImageRecord, Reject
from pipeline.data.dataset import Dataset
from pipeline.data.instances import TrueMasks

CLOSED, NEVER_LABELLED = "closed", "never_labelled"


class Truth:
    """True masks by noun.

    groups: every noun that truth can tell of, with "closed" (in the closed set) or
    "never_labelled"; empty where a data set has no ground truth at all.
    """

    def __init__(self, dataset: Dataset, split: str) -> None:
        self._dataset = dataset
        path = dataset.root / objects_file(split)
        self._objects = _true_masks(path, path.stat().st_mtime_ns) if path.is_file() else None
        self.groups = dict.fromkeys(dataset.classes, CLOSED)
        if self._objects:
            names = self._objects.names.values()
            self.groups |= {name: NEVER_LABELLED for name in names if name not in self.groups}

    def regions(self, record: ImageRecord) -> dict[str, np.ndarray] | None:
        """The closed-set classes in a picture's label map, in class order: name to mask, bool
        (H, W), at least one pixel each. None where it has no label map. MissingFileError or
        UserError when that cannot be read or is of another size."""
        label = self._dataset.read_label(record)
        if label is None:
            return None
        if label.shape != (record.height, record.width):
            raise UserError(
                f"{record.label_path}: label map of {label.shape} pixels, picture of "
                f"{(record.height, record.width)} (height, width)"
            )
        present = np.unique(label)
        return {
            name: label == index for index, name in enumerate(self._dataset.classes)
            if index in present
        }  # fmt: skip

    def of(self, record: ImageRecord) -> dict[str, np.ndarray] | None:
        """Like `regions`, and the objects that were never labelled after them."""
        masks = self.regions(record)
        if masks is None or self._objects is None:
            return masks
        objects = self._objects.of(record.image_id, (record.height, record.width))
        known = set(self._dataset.classes)
        return masks | {name: mask for name, mask in objects.items() if name not in known}


def objects_file(split: str) -> str:
    """The file of every object in the pictures of a split, below the data set's root; only the
    OpenMoji world has one."""
    return f"annotations/instances_all_{split}2017.json"


def closed_of(true: dict[str, np.ndarray], groups: dict[str, str]) -> dict[str, np.ndarray]:
    """Of the masks that `Truth.of` gives, those of the closed set."""
    return {name: mask for name, mask in true.items() if groups[name] == CLOSED}


def read_truth(
    truth: Truth, record: ImageRecord, stage: str, rejects: list[Reject]
) -> dict[str, np.ndarray] | None:
    """`truth.of(record)`; a label map that cannot be used goes to `rejects` and counts as none."""
    try:
        return truth.of(record)
    except UserError as error:
        rejects.append(Reject(stage, str(record.label_path), "unusable label map", str(error)))
        return None


@lru_cache(maxsize=2)
def _true_masks(path: Path, changed: int) -> TrueMasks:
    return TrueMasks(path)
