"""Make the records of a folder's pictures, after checking presence, readability and sizes."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Lock
from typing import TypeVar

from pipeline.core.errors import UserError
from pipeline.core.progress import track
from pipeline.core.records import Caption, ImageRecord, Reject
from pipeline.data.images import image_size, read_image

T = TypeVar("T")
R = TypeVar("R")
_READERS = 8  # threads reading files; of headers they wait for the disk, not the processor
_LARGE = 2**24  # pixels; larger pictures are decoded one at a time, so that memory stays bounded
_one_at_a_time = Lock()


def index_picture(
    root: Path,
    image_id: int,
    path: str,
    label_path: str | None,
    captions: Sequence[Caption],
    stage: str,
    annotated_size: tuple[int, int] | None = None,
    decode: bool = False,
    refused_maps: Mapping[str, tuple[str, str]] | None = None,
) -> tuple[ImageRecord | None, list[Reject]]:
    """Make the record of one picture, or rejects that say why there is none.

    A picture is kept if it is readable, has the annotated size and has a caption or a label map.
    Of a kept picture, a missing or unusable caption or label map is rejected alone.

    Args:
        root, path, label_path: the files are `root / path` and `root / label_path`.
        annotated_size: (height, width) the annotations state for the upright picture.
        decode: decode pictures, the only way to find those cut short, instead of reading only
            their headers. Label maps are decoded elsewhere (pipeline/data/label_values.py).
        refused_maps: reason and detail why label maps cannot be used, by `label_path`.
    """
    try:
        height, width = decoded_size(root / path) if decode else image_size(root / path)
    except UserError as error:
        return None, [Reject(stage, path, "unreadable picture", str(error))]
    if annotated_size is not None and annotated_size != (height, width):
        detail = f"is {width} x {height}, annotated {annotated_size[1]} x {annotated_size[0]}"
        return None, [Reject(stage, path, "size differs from annotation", detail)]
    rejects = []
    if label_path is None:
        rejects.append(Reject(stage, path, "no label map", ""))
    else:
        fault = (refused_maps or {}).get(label_path)
        fault = fault or _label_fault(root / label_path, (height, width))
        if fault is not None:
            rejects.append(Reject(stage, label_path, *fault))
            label_path = None
    if not captions:
        rejects.append(Reject(stage, path, "no caption", ""))
        if label_path is None:
            return None, rejects
    return ImageRecord(image_id, path, width, height, list(captions), label_path), rejects


def read_all(items: Sequence[T], read: Callable[[T], R], description: str) -> Iterator[tuple[T, R]]:
    """Yield (item, read(item)) for every item, in order, read by threads with a progress bar."""
    with ThreadPoolExecutor(_READERS) as pool:
        results = zip(items, pool.map(read, items), strict=True)
        yield from track(results, len(items), description)


def decoded_size(path: Path) -> tuple[int, int]:
    """Decode the picture and return its height and width, upright. Raises as `read_image` does."""
    height, width = image_size(path)
    if height * width <= _LARGE:
        read_image(path)
    else:
        with _one_at_a_time:
            read_image(path)
    return height, width


def _label_fault(path: Path, size: tuple[int, int]) -> tuple[str, str] | None:
    """Return reason and detail why a label map does not fit its picture, None if it does."""
    try:
        height, width = image_size(path, upright=False)
    except UserError as error:
        return "unreadable label map", str(error)
    if (height, width) != size:
        return (
            "label map size differs",
            f"label map {width} x {height}, picture {size[1]} x {size[0]}",
        )
    return None
