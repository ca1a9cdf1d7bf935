"""An evaluation set: pictures, their label maps and the class names, as one JSON file.

`sets/<set>.json` in the data-set folder:

    {"name": "ade150", "root": "/data/ADEChallengeData2016", "classes": ["wall", ...],
     "ignore_label": 255, "label_map": {"1": 0, ...} or null, "seen": [0, 2, ...] or null,
     "label_root": "../labels/ade847" or null,
     "images": [{"image_id": "ADE_val_00000001", "path": "images/validation/ADE_val_00000001.jpg",
                 "label_path": "annotations/validation/ADE_val_00000001.png",
                 "width": 683, "height": 512}, ...]}

Paths are relative to the root, and the root is absolute, relative to the JSON file or under
$DETECTRON2_DATASETS (pipeline/data/root.py), so a cluster may mount the data elsewhere.
`label_root` is set if label maps were converted and so lie apart from the official pictures;
loading a set joins it into the paths, so that `root / label_path` is always the file. Stored label
values that `label_map` does not list are ignored.
"""

import json
from dataclasses import asdict, dataclass, fields, replace
from pathlib import Path
from typing import Any

from pydantic import BaseModel, PositiveInt, StrictInt

from pipeline.core.errors import MissingFileError, UserError
from pipeline.core.files.atomic import write_text
from pipeline.core.files.written_json import Text, checked, read_json
from pipeline.data.labels import LabelMap, Stored, read_label
from pipeline.data.root import check_pictures, read_root

__all__ = ["EvalImage", "EvalSet", "load_eval_set", "read_label", "save_eval_set"]


@dataclass(frozen=True)
class EvalImage:
    """One picture with its label map."""

    image_id: int | str  # as the benchmark names it
    path: str  # relative to the set's root
    label_path: str  # relative to the set's root (absolute after loading with a label_root)
    width: int  # pixels, of the label map and of the upright picture
    height: int


@dataclass(frozen=True)
class EvalSet:
    """Everything `evaluate` needs to know of a benchmark."""

    name: str
    root: Path  # absolute
    classes: list[str]  # index = class id in the mapped labels
    images: list[EvalImage]
    ignore_label: int = 255
    label_map: LabelMap | None = None  # stored value -> class id; None: stored values are ids
    seen: list[int] | None = None  # class ids of the seen side; None: no split
    label_root: Path | None = None  # where label maps lie if not under root; None once joined in

    def __post_init__(self) -> None:
        assert not 0 <= self.ignore_label < len(self.classes), (
            f"{self.name}: ignore label {self.ignore_label} is also a class id"
        )


def save_eval_set(
    path: str | Path, eval_set: EvalSet, root: str | None = None, label_root: str | None = None
) -> None:
    """Write the JSON, by rename.

    Args:
        path: the JSON file.
        eval_set: what to write.
        root: written as root instead of the absolute path (say "../coco" when the pictures
            lie beside the JSON and move with it).
        label_root: likewise for label maps that do not lie under the root.
    """
    document = asdict(eval_set)
    document["root"] = root if root is not None else str(eval_set.root)
    if label_root is not None or eval_set.label_root is not None:
        document["label_root"] = label_root if label_root is not None else str(eval_set.label_root)
    write_text(path, json.dumps(document, ensure_ascii=False, indent=1) + "\n")


def load_eval_set(path: str | Path) -> EvalSet:
    """Read the JSON. Raises MissingFileError or UserError, naming the file and the fault."""
    path = Path(path)
    try:
        document = read_json(path, "an evaluation set")
    except FileNotFoundError:
        raise MissingFileError(
            f"{path}: no such evaluation set; the dataset stage writes those that dataset.sets in "
            "params.yaml lists (dvc repro dataset)"
        ) from None
    _check_keys(path, document)
    content = checked(_Document, document, path, "an evaluation set")
    if 0 <= content.ignore_label < len(content.classes):
        raise UserError(f"{path}: its ignore label {content.ignore_label} is also a class id")
    if not all(0 <= class_id < len(content.classes) for class_id in content.seen or ()):
        raise UserError(f"{path}: seen names a class id beyond its {len(content.classes)} classes")
    images = [EvalImage(**image.model_dump()) for image in content.images]
    if content.label_root is not None:
        labels = (path.parent / content.label_root).resolve()
        images = [replace(i, label_path=str(labels / i.label_path)) for i in images]
    root = read_root(content.root, path.parent)
    check_pictures(root, path)
    return EvalSet(
        name=content.name,
        root=root,
        classes=content.classes,
        images=images,
        ignore_label=content.ignore_label,
        label_map=content.label_map,
        seen=content.seen,
    )


class _Image(BaseModel, extra="forbid"):
    image_id: StrictInt | Text
    path: Text
    label_path: Text
    width: PositiveInt
    height: PositiveInt


class _Document(BaseModel):
    name: Text
    root: Text
    classes: list[Text]
    images: list[_Image]
    ignore_label: Stored
    label_map: dict[Stored, Stored] | None
    seen: list[StrictInt] | None
    label_root: Text | None = None


def _check_keys(path: Path, document: Any) -> None:
    expected = {f.name for f in fields(EvalSet)}
    found = {"label_root", *document} if isinstance(document, dict) else set()
    if found != expected:
        raise UserError(
            f"{path}: not an evaluation set; missing keys {sorted(expected - found)}, "
            f"unknown keys {sorted(found - expected)}"
        )
