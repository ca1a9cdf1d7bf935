"""ADE20K: the 150-class challenge set (A-150) and the full annotation with 847 classes (A-847).

Challenge set, `ADEChallengeData2016/`: 8-bit label PNGs, 1..150, 0 = unlabelled.

Full set, `ADE20K_2021_17_01/`: per picture a `_seg.png` whose class index is R // 10 * 256 + G (B
counts instances) into the index of 3,688 names; 0 = unlabelled. The 847 classes are those in common
use since the set of MaskFormer; `classes/ade847.tsv` gives each with its index, so the index
pickle is not needed. As is customary there, pictures whose short side exceeds 512 pixels are
reduced to that, together with their labels.
"""

import os
from pathlib import Path
from typing import Any

import numpy as np

from pipeline.core.errors import UserError
from pipeline.core.records import Reject
from pipeline.data.benchmarks.benchmark import Benchmark, Conversion, Listing, Part, files_by_stem
from pipeline.data.images import open_picture, read_image
from pipeline.data.names import MAPS, PHOTOS, stem_of

CHALLENGE_SOURCE = "http://data.csail.mit.edu/places/ADEchallenge/ADEChallengeData2016.zip"
FULL_SOURCE = "https://groups.csail.mit.edu/vision/datasets/ADE20K/ (free registration)"
NAMES = 3688  # in the full list; their indices count from 1
FULL_FOLDER = "ADE20K_2021_17_01/images/ADE/validation"


def list_challenge(root: Path) -> Listing:
    """List the 2,000 validation pictures of the challenge set."""
    folder = "ADEChallengeData2016"
    rejects: list[Reject] = []
    images = files_by_stem(root, f"{folder}/images/validation", PHOTOS, rejects)
    labels = files_by_stem(root, f"{folder}/annotations/validation", MAPS, rejects)
    return Listing(images, labels, rejects=tuple(rejects))


def list_full(root: Path) -> Listing:
    """List the 2,000 validation pictures of the full set, in folders by kind of scene."""
    images, labels = {}, {}
    for folder, subfolders, names in os.walk(root / FULL_FOLDER):
        # ADE_val_00000001/ holds that picture's instance masks, tens of thousands of files
        subfolders[:] = [s for s in subfolders if not s.startswith("ADE_")]
        relative = Path(folder).relative_to(root).as_posix()
        for name in names:
            if (stem := stem_of(name, ["_seg.png"])) is not None:
                labels[stem] = f"{relative}/{name}"
            elif (stem := stem_of(name, PHOTOS)) is not None:
                images[stem] = f"{relative}/{name}"
    return Listing(images, labels)


def decode_full(path: Path, extra: Any = None) -> np.ndarray:
    """Decode a `_seg.png` to indices into the full list of names, uint16 (H, W), 0 = unlabelled.

    Raises UserError for a file whose colours are not such indices: gray, JPEG, resampled.
    """
    with open_picture(path, "label map") as image:
        found = f"{image.mode} {image.format}"
    if found not in ("RGB PNG", "RGBA PNG"):
        raise UserError(f"{path}: a {found} file; expected an RGB PNG of ADE20K indices")
    red, green = np.moveaxis(read_image(path, upright=False)[..., :2].astype(np.uint16), -1, 0)
    index = red // 10 * 256 + green
    if (red % 10).any() or index.max(initial=0) > NAMES:
        raise UserError(
            f"{path}: its colours are not ADE20K's indices: found red {red.max()} and index "
            f"{index.max()}; expected red in tens and indices up to {NAMES}, as downloaded"
        )
    return index


_CHALLENGE_PARTS = (
    Part("ADEChallengeData2016/images/validation", "2,000 pictures", CHALLENGE_SOURCE),
    Part("ADEChallengeData2016/annotations/validation", "2,000 label maps", CHALLENGE_SOURCE),
)

ADE150 = Benchmark(
    name="ade150",
    title="ADE20K, 150 classes",
    official=2000,
    parts=_CHALLENGE_PARTS,
    list_pictures=list_challenge,
    class_list="ade150",
    unlabelled=frozenset({0}),
)

ADE150_SYNONYMS = Benchmark(
    name="ade150-synonyms",
    title="ADE20K, 150 classes by all their names",
    official=2000,
    parts=_CHALLENGE_PARTS,
    list_pictures=list_challenge,
    class_list="ade150-synonyms",
    unlabelled=frozenset({0}),
)

ADE847 = Benchmark(
    name="ade847",
    title="ADE20K-Full, 847 classes",
    official=2000,
    parts=(Part(FULL_FOLDER, "2,000 pictures with _seg.png", FULL_SOURCE),),
    list_pictures=list_full,
    class_list="ade847",
    ignore_label=65535,
    conversion=Conversion("ade-full", decode_full, short_side=512),
)
