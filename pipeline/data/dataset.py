"""The data-set folder: what the `dataset` stage writes and every later stage reads.

    dataset.json     name, root, classes [{"id", "name", "seen"}], ignore_label, label_map
    train.parquet    ImageRecord (pipeline/core/records.py): captioned pictures to learn from
    val.parquet      ImageRecord: held-out pictures
    sets/<set>.json  evaluation sets (pipeline/data/sets.py)

The root is absolute, relative to dataset.json (when the pictures lie in the folder) or under
$DETECTRON2_DATASETS (pipeline/data/root.py); the paths in the Parquet files are relative to it.
`label_map` turns the values stored in the label PNGs into class ids; null means they are ids.
"""

import json
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from pydantic import BaseModel, StrictBool, StrictInt

from pipeline.core.errors import MissingFileError, UserError
from pipeline.core.files.atomic import write_text
from pipeline.core.files.written_json import Text, checked, read_json
from pipeline.core.records import ImageRecord, read_parquet, write_parquet
from pipeline.data.labels import LabelMap, Stored, read_label
from pipeline.data.root import check_pictures, read_root

SPLITS = ("train", "val")


@dataclass(frozen=True)
class Dataset:
    """The closed set the segmenter is trained on, and where its pictures are."""

    name: str
    root: Path  # absolute
    classes: list[str]  # closed set; index = class id
    seen: list[bool]  # per class: False for the unseen half of a zero-shot split
    ignore_label: int = 255
    label_map: LabelMap | None = None

    def __post_init__(self) -> None:
        assert len(self.classes) == len(self.seen), (len(self.classes), len(self.seen))

    def read_label(self, record: ImageRecord) -> np.ndarray | None:
        """Read the class ids of a picture, int32 (H, W); None without a label map."""
        if record.label_path is None:
            return None
        return read_label(self.root / record.label_path, self.label_map, self.ignore_label)


def write_dataset(
    folder: str | Path,
    dataset: Dataset,
    train: list[ImageRecord],
    val: list[ImageRecord],
    root: str | None = None,
) -> None:
    """Write dataset.json, train.parquet and val.parquet.

    Args:
        root: written as root instead of the absolute path, e.g. "coco" for pictures inside the
            folder.
    """
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    for split, records in zip(SPLITS, (train, val), strict=True):
        write_parquet(folder / f"{split}.parquet", records, ImageRecord)
    document = {
        "name": dataset.name,
        "root": root if root is not None else str(dataset.root),
        "classes": [
            {"id": index, "name": name, "seen": seen}
            for index, (name, seen) in enumerate(zip(dataset.classes, dataset.seen, strict=True))
        ],
        "ignore_label": dataset.ignore_label,
        "label_map": dataset.label_map,
    }
    write_text(folder / "dataset.json", json.dumps(document, ensure_ascii=False, indent=1) + "\n")


def read_dataset(folder: str | Path) -> Dataset:
    """Read dataset.json. Raises MissingFileError or UserError, saying what to do."""
    path = Path(folder) / "dataset.json"
    try:
        document = read_json(path, "a data set")
    except FileNotFoundError:
        raise MissingFileError(
            f"{path}: no data set here; the dataset stage writes it (dvc repro dataset)"
        ) from None
    content = checked(_Document, document, path, "a data set")
    if [entry.id for entry in content.classes] != list(range(len(content.classes))):
        raise UserError(f"{path}: class ids are not 0, 1, 2, ... in order")
    root = read_root(content.root, path.parent)
    check_pictures(root, path)
    return Dataset(
        name=content.name,
        root=root,
        classes=[entry.name for entry in content.classes],
        seen=[entry.seen for entry in content.classes],
        ignore_label=content.ignore_label,
        label_map=content.label_map,
    )


class _Class(BaseModel):
    id: StrictInt
    name: Text
    seen: StrictBool


class _Document(BaseModel):
    name: Text
    root: Text
    classes: list[_Class]
    ignore_label: Stored
    label_map: dict[Stored, Stored] | None


def read_split(folder: str | Path, split: str) -> list[ImageRecord]:
    """Read the pictures of "train" or "val", in image-id order."""
    if split not in SPLITS:
        raise UserError(f"split {split!r}; there are {', '.join(SPLITS)}")
    return read_parquet(Path(folder) / f"{split}.parquet", ImageRecord)
