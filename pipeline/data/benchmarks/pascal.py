"""PASCAL VOC 2012 (PAS-20) and PASCAL-Context with 59 or all 459 classes (PC-59, PC-459).

VOC: palette PNGs, 0 = background, 255 = void; both are ignored, as in the paper.

Context: the pictures of VOC 2010 with one `.mat` each, whose matrix `LabelMap` holds 1..459 (the
official labels.txt), 0 = unlabelled. The 59 classes are the frequent ones of the same matrix, by
the same names, as users of the set prompt with them: table, cloth, bedclothes, where the official
59_labels.txt has "diningtable", "clothes" and "bedcloth". The official validation list is part of
this package; `VOC2010/pascalcontext_val.txt` wins over it.
"""

import math
from pathlib import Path
from typing import Any

import numpy as np
import scipy.sparse

from pipeline.core.errors import UserError
from pipeline.core.records import Reject
from pipeline.data.benchmarks.benchmark import (
    Benchmark,
    Conversion,
    Listing,
    Part,
    files_by_stem,
    read_list,
)  # fmt: skip
from pipeline.data.benchmarks.mat import DamagedMat, read_matrix
from pipeline.data.classes import FOLDER
from pipeline.data.images import MAX_PIXELS
from pipeline.data.names import MAPS, PHOTOS

VOC12 = "VOCdevkit/VOC2012"
VOC10 = "VOCdevkit/VOC2010"
VOC12_SOURCE = "http://host.robots.ox.ac.uk/pascal/VOC/voc2012/VOCtrainval_11-May-2012.tar"
VOC10_SOURCE = "http://host.robots.ox.ac.uk/pascal/VOC/voc2010/VOCtrainval_03-May-2010.tar"
CONTEXT_SOURCE = "https://cs.stanford.edu/~roozbeh/pascal-context/trainval.tar.gz"
VOC_LIST = f"{VOC12}/ImageSets/Segmentation/val.txt"


def list_voc(root: Path) -> Listing:
    """List the 1,449 pictures of the segmentation validation list."""
    if not (root / VOC_LIST).is_file():
        return Listing({}, {})
    rejects: list[Reject] = []
    images = files_by_stem(root, f"{VOC12}/JPEGImages", PHOTOS, rejects)
    labels = files_by_stem(root, f"{VOC12}/SegmentationClass", MAPS, rejects)
    return _listed(read_list(root / VOC_LIST), images, labels, rejects)


def list_context(root: Path) -> Listing:
    """List the 5,104 pictures of the validation list."""
    own = root / VOC10 / "pascalcontext_val.txt"
    names = read_list(own if own.is_file() else FOLDER / "context-val.txt")
    rejects: list[Reject] = []
    images = files_by_stem(root, f"{VOC10}/JPEGImages", PHOTOS, rejects)
    labels = files_by_stem(root, f"{VOC10}/trainval", [".mat"], rejects)
    return _listed(names, images, labels, rejects)


def decode_context(path: Path, extra: Any = None) -> np.ndarray:
    """Decode a `.mat` to its `LabelMap`, full or sparse, uint16 (H, W), 0..459."""
    try:
        label = read_matrix(path, "LabelMap")
    except DamagedMat as error:
        raise UserError(f"{path}: not a readable .mat file ({error})") from error
    if isinstance(label, scipy.sparse.csc_array):
        if math.prod(label.shape) > MAX_PIXELS:
            raise UserError(f"{path}: LabelMap is {label.shape}, larger than any picture read here")
        label = label.toarray()
    if label is None or label.ndim != 2 or label.size == 0:
        found = "none" if label is None else f"{label.dtype} of shape {label.shape}"
        raise UserError(f"{path}: expected a matrix LabelMap, found {found}")
    if not (label == np.round(label)).all():  # NaN is not equal to itself
        raise UserError(f"{path}: LabelMap holds fractions or NaN, expected ids 0..459")
    if label.min() < 0 or label.max() > 459:
        raise UserError(
            f"{path}: LabelMap holds {label.min()}..{label.max()}, expected 0..459 (labels.txt)"
        )
    return label.astype(np.uint16)


def _listed(
    names: list[str], images: dict[str, str], labels: dict[str, str], rejects: list[Reject]
) -> Listing:
    """Return the pictures and label maps that a list names. UserError where it names none of
    them."""
    if images and labels and not images.keys() & labels.keys() & set(names):
        raise UserError(
            f"none of the {len(names):,} names in the validation list, such as "
            f"{', '.join(names[:1]) or 'none'}, has a picture and a label map, such as "
            f"{min(images.values())} and {min(labels.values())}"
        )
    return Listing(
        images={name: images[name] for name in names if name in images},
        labels={name: labels[name] for name in names if name in labels},
        rejects=tuple(rejects),
    )


VOC20 = Benchmark(
    name="voc20",
    title="PASCAL VOC 2012, 20 classes",
    official=1449,
    parts=(
        Part(VOC_LIST, "the validation list", VOC12_SOURCE),
        Part(f"{VOC12}/JPEGImages", "pictures", VOC12_SOURCE),
        Part(f"{VOC12}/SegmentationClass", "label maps", VOC12_SOURCE),
    ),
    list_pictures=list_voc,
    class_list="voc20",
    unlabelled=frozenset({0, 255}),
)

_CONTEXT_PARTS = (
    Part(f"{VOC10}/JPEGImages", "pictures", VOC10_SOURCE),
    Part(f"{VOC10}/trainval", "10,103 label maps (.mat)", CONTEXT_SOURCE),
)
_CONTEXT_CONVERSION = Conversion("context", decode_context)

CONTEXT59 = Benchmark(
    name="pc59",
    title="PASCAL-Context, 59 classes",
    official=5104,
    parts=_CONTEXT_PARTS,
    list_pictures=list_context,
    class_list="context59",
    conversion=_CONTEXT_CONVERSION,
)

CONTEXT459 = Benchmark(
    name="pc459",
    title="PASCAL-Context, 459 classes",
    official=5104,
    parts=_CONTEXT_PARTS,
    list_pictures=list_context,
    class_list="context459",
    ignore_label=65535,
    conversion=_CONTEXT_CONVERSION,
)
