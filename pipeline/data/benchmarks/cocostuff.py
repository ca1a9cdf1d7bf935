"""COCO 2017 validation: COCO-Stuff with 171 classes, its 156/15 zero-shot split, COCO panoptic.

COCO-Stuff: see pipeline/data/coco.py for the values of the maps.

Panoptic (133 classes, evaluated as a semantic map): a PNG per picture with segment ids in its
colours, R + 256 G + 65536 B, and a JSON that gives each segment's category; 0 = unlabelled. Crowds
stand for several objects under one outline; they are ignored, as in the official scoring.
"""

import json
from pathlib import Path
from typing import Any

import numpy as np

from pipeline.data.benchmarks.benchmark import Benchmark, Conversion, Listing, Part, files_by_stem
from pipeline.data.coco import PANOPTIC_SOURCE, SOURCES, STUFF_SOURCE
from pipeline.data.images import read_image
from pipeline.errors import UserError

PANOPTIC_JSON = "coco/annotations/panoptic_val2017.json"
PANOPTIC_FOLDERS = ("coco/panoptic_val2017", "coco/annotations/panoptic_val2017")


def list_stuff(root: Path) -> Listing:
    """The 5,000 pictures of val2017."""
    return Listing(
        images=files_by_stem(root, "coco/val2017", ".jpg"),
        labels=files_by_stem(root, "coco/stuffthingmaps/val2017", ".png"),
    )


def list_panoptic(root: Path) -> Listing:
    """The same pictures with their segments: (id, category, is crowd) as extra.

    UserError when the JSON is there but broken.
    """
    if not (root / PANOPTIC_JSON).is_file():
        return Listing(files_by_stem(root, "coco/val2017", ".jpg"), {})
    try:
        document = json.loads((root / PANOPTIC_JSON).read_text(encoding="utf-8"))
        extra = {
            Path(entry["file_name"]).stem: [
                [segment["id"], segment["category_id"], segment["iscrowd"]]
                for segment in entry["segments_info"]
            ]
            for entry in document["annotations"]
        }
    except (ValueError, KeyError, TypeError) as error:  # a JSONDecodeError is a ValueError
        raise UserError(
            f"{root / PANOPTIC_JSON}: not COCO panoptic annotations ({type(error).__name__}: "
            f"{error}); unpack it again"
        ) from error
    found: dict[str, str] = {}
    for folder in PANOPTIC_FOLDERS:
        found = found or files_by_stem(root, folder, ".png")
    return Listing(
        images=files_by_stem(root, "coco/val2017", ".jpg"),
        labels={name: path for name, path in found.items() if name in extra},
        extra=extra,
    )


def decode_panoptic(path: Path, segments: Any) -> np.ndarray:
    """A panoptic PNG -> category ids, uint16 (H, W); 0 where there is none or a crowd.

    Args:
        segments: (id, category, is crowd) of every segment of the picture.

    Raises:
        UserError: a segment id in the PNG that the JSON does not list.
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
)

STUFF156 = Benchmark(
    name="cocostuff156",
    title="COCO-Stuff, 156 seen and 15 unseen classes",
    official=5000,
    parts=_STUFF_PARTS,
    list_pictures=list_stuff,
    class_list="cocostuff",
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
