"""Convert label files that need decoding to label PNGs, shard by shard, once.

labels/<folder>/ holds, besides the shard manifests, `<picture>-<shard>.png` with the stored values
of the benchmark (8- or 16-bit), and where pictures are reduced `<picture>-<shard>.jpg`.
"""

import shutil
import sys
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from PIL import Image

from pipeline.core.errors import UserError
from pipeline.core.fingerprint import of_code, of_contents
from pipeline.core.records import Reject, write_parquet
from pipeline.core.shards import run_shards
from pipeline.data.benchmarks.benchmark import Conversion, Listing
from pipeline.data.images import is_turned, read_image
from pipeline.data.labels import write_label

SHARD_SIZE = 50
_QUALITY = 95  # of reduced JPEG pictures


@dataclass(frozen=True)
class Source:
    """One picture to convert. Paths are relative to the data root; `content` is a hash of the bytes
    of the files that are read, so that a changed file is converted again."""

    name: str
    image: str
    label: str
    content: str
    extra: Any


@dataclass(frozen=True)
class Converted:
    """The files of one converted picture in the folder; image is None if it was not reduced."""

    name: str
    image: Path | None
    label: Path


def convert(root: Path, out: Path, listing: Listing, conversion: Conversion) -> list[Converted]:
    """Convert every picture that has both files; keep those converted earlier.

    Args:
        root: data root.
        out: the folder labels/<conversion.folder>.

    Returns:
        All converted pictures, sorted by name. `rejects-*.parquet` in `out` list the others.
    """

    def source(name: str) -> Source:
        image, label = listing.images[name], listing.labels[name]
        read = [label] if conversion.short_side is None else [label, image]
        return Source(name, image, label, of_contents(root, read), listing.extra.get(name))

    with ThreadPoolExecutor() as pool:
        sources = list(pool.map(source, listing.complete))
    decoding = sys.modules[conversion.decode.__module__]
    code = of_code(decoding.__file__, __file__)
    shards = run_shards(
        out,
        sources,
        SHARD_SIZE,
        partial(_convert_shard, root, conversion),
        {"code": code, "folder": conversion.folder, "short_side": conversion.short_side},
        f"converting labels of {conversion.folder}",
        names=("rejects.parquet",),
        processes=True,
    )
    files = [path for shard in shards for path in shard.files]
    images = {_name(path): path for path in files if path.suffix == ".jpg"}
    labels = {_name(path): path for path in files if path.suffix == ".png"}
    return [Converted(name, images.get(name), labels[name]) for name in sorted(labels)]


def _convert_shard(
    root: Path, conversion: Conversion, sources: Sequence[Source], folder: Path
) -> dict[str, Any]:
    cv2.setNumThreads(1)
    rejects = []
    for source in sources:
        try:
            _convert_one(root, conversion, source, folder)
        except UserError as error:
            rejects.append(Reject("dataset", source.label, "label map not converted", str(error)))
    write_parquet(folder / "rejects.parquet", rejects, Reject)
    return {"pictures": len(sources) - len(rejects), "rejects": len(rejects)}


def _convert_one(root: Path, conversion: Conversion, source: Source, folder: Path) -> None:
    label = conversion.decode(root / source.label, source.extra)
    if conversion.short_side is not None:
        picture, image_file = root / source.image, folder / f"{source.name}.jpg"
        image = _matching(picture, label)
        small = min(label.shape) <= conversion.short_side
        if small and not is_turned(picture):
            shutil.copyfile(picture, image_file)
        else:
            if not small:
                image, label = reduce(image, label, conversion.short_side)
            Image.fromarray(image).save(image_file, quality=_QUALITY)
    write_label(folder / f"{source.name}.png", label, ignore_label=0)


def _matching(path: Path, label: np.ndarray) -> np.ndarray:
    """Return the stored pixels if the labels have their size, else the upright picture."""
    for upright in (False, True):
        image = read_image(path, upright)
        if image.shape[:2] == label.shape:
            return image
    raise UserError(f"{path}: picture {image.shape[:2]} and label map {label.shape} differ (H, W)")


def reduce(image: np.ndarray, label: np.ndarray, short_side: int) -> tuple[np.ndarray, np.ndarray]:
    """Resize so that the short side has `short_side` pixels, keeping the aspect ratio.

    Args:
        image: uint8 (H, W, 3), resized bilinearly.
        label: uint16 (H, W), resized by nearest pixel.
    """
    height, width = label.shape
    scale = short_side / min(height, width)
    size = (short_side, round(height * scale))
    if width >= height:
        size = (round(width * scale), short_side)
    return (
        cv2.resize(image, size, interpolation=cv2.INTER_LINEAR),
        cv2.resize(label, size, interpolation=cv2.INTER_NEAREST),
    )


def _name(path: Path) -> str:
    return path.stem.rpartition("-")[0]
