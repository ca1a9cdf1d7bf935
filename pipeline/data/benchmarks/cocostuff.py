"""COCO 2017 validation: COCO-Stuff with 171 classes, its 156/15 zero-shot split, COCO panoptic.

COCO-Stuff: see pipeline/data/coco.py for the values of the maps.

Panoptic (133 classes, evaluated as a semantic map): a PNG per picture with segment ids in its
colours, R + 256 G + 65536 B, and a JSON that gives each segment's category; 0 = unlabelled. Crowds
are several objects under one outline; they are ignored, as in the official scoring.
"""

from collections.abc import Container, Mapping
from pathlib import Path, PurePosixPath
from typing import Any

import numpy as np

from pipeline.core.errors import UserError
from pipeline.core.records import Reject
from pipeline.data.benchmarks.benchmark import (
    STAGE,
    Benchmark,
    Conversion,
    Listing,
    Part,
    files_by_stem,
)  # fmt: skip
from pipeline.data.classes import load_class_list
from pipeline.data.coco import PANOPTIC_SOURCE, SOURCES, STUFF_SOURCE
from pipeline.data.coco_json import (
    Fault,
    crowd,
    is_text,
    numbers,
    read_document,
    wrong_entry,
)  # fmt: skip
from pipeline.data.images import read_image
from pipeline.data.names import MAPS, PHOTOS

PANOPTIC_JSON = "coco/annotations/panoptic_val2017.json"
PANOPTIC_FOLDERS = ("coco/panoptic_val2017", "coco/annotations/panoptic_val2017")


def list_stuff(root: Path) -> Listing:
    """List the 5,000 pictures of val2017."""
    rejects: list[Reject] = []
    images = files_by_stem(root, "coco/val2017", PHOTOS, rejects)
    labels = files_by_stem(root, "coco/stuffthingmaps/val2017", MAPS, rejects)
    return Listing(images, labels, rejects=tuple(rejects))


def list_panoptic(root: Path) -> Listing:
    """List the same pictures with their segments: (id, category, is crowd) as extra.

    An entry with a wrong segment is left out as a whole, since a map of its other segments would
    show the rest as unlabelled. UserError if the JSON exists but is broken, has no valid entry, or
    none for an existing segment map.
    """
    twice: list[Reject] = []
    pictures = files_by_stem(root, "coco/val2017", PHOTOS, twice)
    path = root / PANOPTIC_JSON
    if not path.is_file():
        return Listing(pictures, {})
    document = read_document(path, "panoptic annotations", ("annotations",), source=PANOPTIC_SOURCE)
    classes = load_class_list("cocopanoptic")
    names = dict(zip(classes.stored, classes.names, strict=True))
    _same_categories(path, document.get("categories"), names)
    extra: dict[str, list] = {}
    rejects = []
    for index, entry in enumerate(document["annotations"]):
        if fault := _add_segments(extra, entry, names):
            rejects.append(Reject(STAGE, f'{path.name} "annotations"[{index}]', *fault))
    if rejects and not extra:
        raise UserError(
            f"{path}: not COCO panoptic annotations ({rejects[0].item}: {rejects[0].reason}; "
            f"{rejects[0].detail}; and no other entry is right); unpack it again"
        )
    found: dict[str, str] = {}
    for folder in PANOPTIC_FOLDERS:
        found = found or files_by_stem(root, folder, MAPS, twice)
    labels = {name: file for name, file in found.items() if name in extra}
    if found and not labels:
        what = f"{len(extra):,} entries, none" if extra else "no entry"
        raise UserError(f"{path}: {what} for the segment maps there, such as {min(found.values())}")
    return Listing(pictures, labels, extra, (*twice, *rejects))


def _same_categories(path: Path, entries: Any, names: Mapping[int, str]) -> None:
    """Raise UserError where a file says that a category id has another name than COCO's."""
    for entry in entries if isinstance(entries, list) else []:
        found = numbers(entry, "id")
        name = entry.get("name") if isinstance(entry, dict) else None
        if found is None or not is_text(name) or name == names.get(found[0], name):
            continue
        raise UserError(
            f"{path}: category {found[0]} is {name!r} there and {names[found[0]]!r} in COCO; "
            "expected COCO's own 133 categories"
        )


def _add_segments(extra: dict[str, list], entry: Any, categories: Container[int]) -> Fault | None:
    """Add the segments of an entry under the name of its picture; return what is wrong with it."""
    name = entry.get("file_name") if isinstance(entry, dict) else None
    segments = entry.get("segments_info") if isinstance(entry, dict) else None
    if not is_text(name) or not isinstance(segments, list):
        return wrong_entry(entry, "file_name, segments_info (a list)")
    stem = PurePosixPath(name.replace("\\", "/")).stem
    if stem in extra:
        return "two entries of one picture", f"{name!r} has an entry already"
    found: dict[int, list] = {}
    for segment in segments:
        ids = numbers(segment, "id", "category_id")
        if ids is None or (many := crowd(segment)) is None:
            return wrong_entry(segment, "id, category_id (iscrowd 0 or 1)")
        if ids[0] == 0:  # black, which is what no segment covers
            return "segment of id 0", f"in {name!r}; 0 is unlabelled, ids of segments start at 1"
        if ids[1] not in categories:
            return "unknown category", f"segment {ids[0]} of {name!r} is of category {ids[1]}"
        if ids[0] in found:
            return "two segments of one id", f"segment {ids[0]} of {name!r}"
        found[ids[0]] = [*ids, int(many)]
    extra[stem] = list(found.values())
    return None


def decode_panoptic(path: Path, segments: Any) -> np.ndarray:
    """Decode a panoptic PNG to category ids, uint16 (H, W); 0 for no category and for crowds.

    Args:
        segments: (id, category, is crowd) of every segment of the picture.

    Raises:
        UserError: the PNG holds a segment id that the JSON does not list.
    """
    red, green, blue = np.moveaxis(read_image(path, upright=False).astype(np.int64), -1, 0)
    ids, inverse = np.unique(red + 256 * green + 65536 * blue, return_inverse=True)
    category = {0: 0} | {number: 0 if crowd else kind for number, kind, crowd in segments}
    unknown = [number for number in ids.tolist() if number not in category]
    if unknown:
        raise UserError(f"{path}: segment {unknown[0]} is not in {PANOPTIC_JSON}")
    table = np.array([category[number] for number in ids.tolist()], np.uint16)
    return table[inverse].reshape(red.shape)


_PICTURES = Part("coco/val2017", "5,000 pictures", SOURCES["val2017"])
_STUFF_PARTS = (_PICTURES, Part("coco/stuffthingmaps/val2017", "5,000 label maps", STUFF_SOURCE))

STUFF171 = Benchmark(
    name="cocostuff171",
    title="COCO-Stuff, 171 classes",
    official=5000,
    parts=_STUFF_PARTS,
    list_pictures=list_stuff,
    class_list="cocostuff",
    unlabelled=frozenset({255}),
)

STUFF156 = Benchmark(
    name="cocostuff156",
    title="COCO-Stuff, 156 seen and 15 unseen classes",
    official=5000,
    parts=_STUFF_PARTS,
    list_pictures=list_stuff,
    class_list="cocostuff",
    unlabelled=frozenset({255}),
    has_split=True,
)

PANOPTIC133 = Benchmark(
    name="cocopanoptic",
    title="COCO panoptic as semantic map, 133 classes",
    official=5000,
    parts=(
        _PICTURES,
        Part(PANOPTIC_JSON, "segments of val2017", PANOPTIC_SOURCE),
        Part(PANOPTIC_FOLDERS[0], "5,000 segment maps", PANOPTIC_SOURCE, also=PANOPTIC_FOLDERS[1]),
    ),
    list_pictures=list_panoptic,
    class_list="cocopanoptic",
    conversion=Conversion("coco-panoptic", decode_panoptic),
)
