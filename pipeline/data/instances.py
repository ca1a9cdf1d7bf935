"""Read object masks from a COCO instances file; those of one category in a picture are joined.

    {"images": [{"id": 2, "height": 480, "width": 640}], "categories": [{"id": 17, "name": "dog"}],
     "annotations": [{"image_id": 2, "category_id": 17, "iscrowd": 0, "segmentation": ...}]}

For measuring only; crowds are left out. A segmentation is a list of polygons [x, y, x, y, ...] in
pixels (a single polygon is accepted too), or run lengths {"size": [height, width], "counts": ...},
column by column, as a list of numbers or as pycocotools' text. pycocotools checks none of this:
if run lengths do not fill their picture it returns uninitialised memory. So everything is checked
here, once, when the file is read. An object covers at least one pixel of its picture.
"""

import math
from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from pycocotools import mask as coco_mask

from pipeline.core.errors import UserError
from pipeline.core.records import ImageRecord, Reject
from pipeline.data.class_list import name_faults
from pipeline.data.coco_json import (
    Fault,
    crowd,
    is_text,
    numbers,
    other_id,
    read_document,
    whole,
    wrong_entry,
)
from pipeline.data.names import visible
from pipeline.data.rle import run_lengths

ANNOTATIONS = ("annotations/instances_all_val2017.json", "annotations/instances_val2017.json")
_MAX_SIDE = 2**15
"""Longest side in pixels: pycocotools counts the pixels of a picture in 32 bits."""


def instances_file(root: Path) -> Path | None:
    """Return the instances file with the most objects under a data-set root, None without one."""
    return next((root / name for name in ANNOTATIONS if (root / name).is_file()), None)


def object_faults(truth: "TrueMasks", records: Sequence[ImageRecord], stage: str) -> list[Reject]:
    """Return what is wrong in an instances file: entries, sizes that differ from `records`, and
    objects of other pictures only."""
    rejects = list(truth.rejects)
    if len(truth) and records and not any(truth.has(record.image_id) for record in records):
        detail = (
            f"{len(truth):,} objects, none of them in a picture that is there; expected "
            f"ids of pictures, such as {records[0].image_id}"
        )
        rejects.append(Reject(stage, truth.file, "no object in any picture", detail))
    for record in records:
        if fault := truth.size_fault(record.image_id, (record.height, record.width)):
            rejects.append(Reject(stage, record.path, "unusable instances", fault))
    return rejects


class TrueMasks:
    """Category names and masks of the pictures in a COCO instances file.

    names: category name by id; rejects: the entries left out, by file and place in it (crowds are
    no rejects), of all of them too. MissingFileError or UserError if the file is missing or is not
    COCO instances.
    """

    def __init__(self, path: Path, stage: str = "segmenter") -> None:
        document = read_document(path, "instances", ("images", "categories", "annotations"))
        self.file = path.name
        self.names: dict[int, str] = {}
        self.rejects: list[Reject] = []
        self._sizes: dict[int, tuple[int, int]] = {}
        self._entries: dict[int, list[tuple[int, Any]]] = defaultdict(list)
        for key, add in (
            ("categories", self._add_category),
            ("images", self._add_image),
            ("annotations", self._add_object),
        ):
            entries = document.pop(key)  # what is not kept of it is freed
            for index, entry in enumerate(entries):
                if fault := add(entry):
                    self.rejects.append(Reject(stage, f'{path.name} "{key}"[{index}]', *fault))
            if key == "categories":
                self._leave_out_wrong_names(path, stage)

    def __len__(self) -> int:
        """Number of usable objects."""
        return sum(map(len, self._entries.values()))

    def has(self, image_id: int) -> bool:
        """Whether the picture has a usable object."""
        return image_id in self._entries

    def counts(self) -> dict[str, int]:
        """Count the usable objects by category name, in order of category id."""
        found = dict.fromkeys(self.names.values(), 0)
        for entries in self._entries.values():
            for category, _ in entries:
                found[self.names[category]] += 1
        return found

    def size_fault(self, image_id: int, hw: tuple[int, int]) -> str | None:
        """Say that the objects of a picture of `hw` pixels have another size; None if they fit or
        there are none."""
        size = self._sizes.get(image_id)
        if image_id not in self._entries or size == hw:
            return None
        return (
            f"picture {image_id} is of {hw} pixels (height, width), its objects in the instances "
            f"file of {size}"
        )

    def of(self, image_id: int, hw: tuple[int, int]) -> dict[str, np.ndarray]:
        """Return {category name: (H,W) bool}, names ascending; {} for a picture without objects.

        hw: of the picture. UserError if its objects have another size.
        """
        if fault := self.size_fault(image_id, hw):
            raise UserError(fault)
        masks: dict[str, np.ndarray] = defaultdict(lambda: np.zeros(hw, bool))
        for category, segmentation in self._entries.get(image_id, ()):
            masks[self.names[category]] |= _mask(segmentation, hw)
        return {name: masks[name] for name in sorted(masks) if masks[name].any()}

    def _add_category(self, entry: Any) -> Fault | None:
        found = numbers(entry, "id")
        name = entry.get("name") if isinstance(entry, dict) else None
        if found is None or not is_text(name) or not visible(name).strip():
            return wrong_entry(entry, "id, name (a text that can be seen)")
        if found[0] in self.names:
            detail = f"id {found[0]} is already that of {self.names[found[0]]!r}"
            return "two categories of one id", detail
        self.names[found[0]] = name.strip()
        return None

    def _leave_out_wrong_names(self, path: Path, stage: str) -> None:
        """Hold the categories to the rules of a line of classes.txt; those of equal name are one
        class."""
        ids = list(self.names)
        for number, fault in name_faults(list(self.names.values())).items():
            item = f"{path.name}, category {ids[number - 1]}"
            self.rejects.append(Reject(stage, item, "wrong category name", fault))
            del self.names[ids[number - 1]]

    def _add_image(self, entry: Any) -> Fault | None:
        found = numbers(entry, "id", "height", "width")
        if found is None:
            return wrong_entry(entry, "id, height, width")
        image_id, height, width = found
        if not (1 <= height <= _MAX_SIDE and 1 <= width <= _MAX_SIDE):
            detail = f"found {width} x {height}; expected sides of 1..{_MAX_SIDE} pixels"
            return "wrong size", detail
        if fault := other_id(entry, image_id):
            return fault
        if image_id in self._sizes:
            return "two images of one id", f"id {image_id} is already that of another image"
        self._sizes[image_id] = (height, width)
        return None

    def _add_object(self, entry: Any) -> Fault | None:
        found = numbers(entry, "image_id", "category_id")
        if found is None:
            return wrong_entry(entry, "image_id, category_id, segmentation")
        image_id, category = found
        many = crowd(entry)
        if many is None:
            return wrong_entry({"iscrowd": entry["iscrowd"]}, "iscrowd 0 or 1")
        if image_id not in self._sizes:
            return "object without image", f"image {image_id} is not in the file's images"
        if many:
            return None
        if category not in self.names:
            detail = (
                f"category {category} is not in the file's categories, or has no right name there"
            )
            return "unknown category", f"{detail} (image {image_id})"
        segmentation = entry.get("segmentation")
        if fault := segmentation_fault(segmentation, self._sizes[image_id]):
            detail = f"{self.names[category]!r} in image {image_id}: {fault}"
            return "unusable segmentation", detail
        self._entries[image_id].append((category, segmentation))
        return None


def segmentation_fault(segmentation: Any, hw: tuple[int, int]) -> str | None:
    """Return why a segmentation of a picture of `hw` pixels cannot be used, None if it can."""
    if isinstance(segmentation, dict):
        return _run_fault(segmentation, hw)
    if not isinstance(segmentation, list) or not segmentation:
        found = "none" if segmentation is None or segmentation == [] else repr(segmentation)[:80]
        return f"found {found}; expected polygons or run lengths"
    polygons = _polygons(segmentation)
    for polygon in polygons:
        if fault := _polygon_fault(polygon, max(hw)):
            return fault
    smallest, largest = min(map(min, polygons)), max(map(max, polygons))
    if 0 <= smallest and largest <= 1 < max(hw):
        return (
            f"found polygons from {smallest} to {largest}, as shares of the picture; "
            "expected x and y in pixels"
        )
    if not coco_mask.area(_rle(polygons, hw)):
        return f"found polygons that cover no pixel: {repr(segmentation)[:80]}"
    return None


def _polygon_fault(polygon: Any, side: int) -> str | None:
    expected = "expected at least 3 points, x and y of each, in pixels"
    if not isinstance(polygon, list) or len(polygon) < 6 or len(polygon) % 2:
        length = f"{len(polygon)} numbers: " if isinstance(polygon, list) else ""
        return f"found a polygon of {length}{repr(polygon)[:80]}; {expected}"
    try:  # sum, min and max, since a large file has 50 million numbers
        finite = math.isfinite(sum(polygon))
    except (TypeError, OverflowError):
        finite = False
    if not finite:
        return f"found a polygon with what is no number: {repr(polygon)[:80]}; {expected}"
    if min(polygon) < -side or max(polygon) > 2 * side:  # their outline may not fit into memory
        return f"found a polygon from {min(polygon)} to {max(polygon)}, far outside the picture"
    return None


def _run_fault(segmentation: dict, hw: tuple[int, int]) -> str | None:
    size = tuple(map(whole, segmentation["size"])) if _is_pair(segmentation) else (None, None)
    if None in size:
        found = repr(segmentation.get("size"))[:80]
        return f"found run lengths of size {found}; expected [height, width]"
    if size != hw:
        return (
            f"found run lengths of {size[1]} x {size[0]} pixels in a picture of {hw[1]} x {hw[0]}"
        )
    runs = run_lengths(segmentation.get("counts"))
    if runs is None:
        found = repr(segmentation.get("counts"))[:80]
        return f"found counts {found}; expected whole numbers from 0 up, or pycocotools' text"
    if runs.sum() != hw[0] * hw[1]:
        return f"found counts of {runs.sum()} pixels in all; expected {hw[1]} x {hw[0]}"
    if not runs[1::2].any():
        return "found run lengths that cover no pixel"
    return None


def _is_pair(segmentation: dict) -> bool:
    return isinstance(segmentation.get("size"), list) and len(segmentation["size"]) == 2


def _polygons(segmentation: list) -> list:
    """Return the polygons; some tools write a single one without a list around it."""
    alone = not any(isinstance(part, list) for part in segmentation)
    return [segmentation] if alone else segmentation


def _rle(polygons: list, hw: tuple[int, int]) -> dict:
    """Join polygons without fault to one mask, run lengths of pycocotools."""
    return coco_mask.merge(coco_mask.frPyObjects(polygons, *hw))


def _mask(segmentation: Any, hw: tuple[int, int]) -> np.ndarray:
    """Decode a valid segmentation to (H,W) bool."""
    if isinstance(segmentation, list):
        return coco_mask.decode(_rle(_polygons(segmentation), hw)).astype(bool)
    runs = run_lengths(segmentation["counts"])
    assert runs is not None, "a segmentation with a fault"
    inside = np.arange(len(runs)) % 2 == 1
    return np.repeat(inside, runs).reshape(hw, order="F")
