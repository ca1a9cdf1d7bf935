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

    groups: every noun that has ground truth -> "closed" (in the closed set) or "never_labelled";
    empty if a data set has no ground truth at all.
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
        """Return the closed-set classes of a picture's label map, in class order: name -> bool
        (H, W), at least one pixel each. None without a label map. MissingFileError or UserError if
        the map cannot be read or has another size."""
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
        """Like `regions`, followed by the objects that were never labelled."""
        masks = self.regions(record)
        if masks is None or self._objects is None:
            return masks
        objects = self._objects.of(record.image_id, (record.height, record.width))
        known = set(self._dataset.classes)
        return masks | {name: mask for name, mask in objects.items() if name not in known}


def objects_file(split: str) -> str:
    """Return the path, below the data set's root, of the file of all objects of a split; only the
    OpenMoji world has one."""
    return f"annotations/instances_all_{split}2017.json"


def closed_of(true: dict[str, np.ndarray], groups: dict[str, str]) -> dict[str, np.ndarray]:
    """Return those of the masks of `Truth.of` that are of the closed set."""
    return {name: mask for name, mask in true.items() if groups[name] == CLOSED}


def read_truth(
    truth: Truth, record: ImageRecord, stage: str, rejects: list[Reject]
) -> dict[str, np.ndarray] | None:
    """Return `truth.of(record)`; an unusable label map goes to `rejects` and gives None."""
    try:
        return truth.of(record)
    except UserError as error:
        rejects.append(Reject(stage, str(record.label_path), "unusable label map", str(error)))
        return None


@lru_cache(maxsize=2)
def _true_masks(path: Path, changed: int) -> TrueMasks:
    return TrueMasks(path)
