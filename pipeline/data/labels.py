"""Label maps: single-channel PNGs of class ids, and the table from stored to contiguous ids.

Every data set stores its own numbers (COCO-Stuff 0..181 with gaps, ADE20K 1..150 with 0 for
"nothing", VOC 1..20). The table `LabelMap`, `{stored: contiguous}`, turns them into 0..K-1; values
that it does not list become the ignore label, which no metric counts.
"""

from pathlib import Path
from typing import Annotated

import numpy as np
from PIL import ExifTags, Image
from pydantic import Field

from pipeline.core.errors import UserError
from pipeline.core.files.atomic import replacing
from pipeline.data.images import open_picture

LabelMap = dict[int, int]
Stored = Annotated[int, Field(ge=-(2**31), lt=2**31)]
"""A value as label maps and their arrays hold it."""

_MODES = ("1", "L", "P", "I", "I;16", "I;16B", "I;16L")
_STRETCHED = {"L;2": 85, "L;4": 17}  # Pillow multiplies gray of 2 and 4 bits, to fill 0..255


def read_label(
    path: str | Path, label_map: LabelMap | None = None, ignore_label: int = 255
) -> np.ndarray:
    """Decode a label PNG: gray of 1, 2, 4, 8 or 16 bits, or the indices (not the colours) of a
    palette. One with an orientation tag that turns it is refused: tools disagree on whether its
    pixels are turned already.

    Args:
        path: the PNG. Other formats are refused, since most change the values.
        label_map: stored value -> class id; values it does not list become `ignore_label`.
            None leaves the values as they are stored.
        ignore_label: the value of pixels that do not count.

    Returns:
        int32 (H, W) of class ids in 0..K-1, or `ignore_label`.

    Raises:
        MissingFileError: no such file.
        UserError: the file is unreadable, not a PNG, a colour picture or turned by a tag; the
            message names it.
    """
    with open_picture(path, "label map") as image:
        if image.format != "PNG":
            raise UserError(
                f"{path}: a {image.format} file whatever its name says; a label map is a PNG, "
                "other formats may change class ids"
            )
        if image.mode not in _MODES:
            raise UserError(
                f"{path}: a {image.mode} picture; a label map is one channel of class ids "
                "(gray or palette PNG), not colours"
            )
        tiles = getattr(image, "tile", [])  # of a picture that was opened, not made
        step = _STRETCHED.get(tiles[0].args, 1) if tiles else 1
        if (turned := image.getexif().get(ExifTags.Base.Orientation, 1)) in range(2, 9):
            raise UserError(
                f"{path}: a label map with the orientation tag {turned}, which viewers turn and "
                "others do not; save it upright as its picture is shown, without the tag"
            )
        stored = np.asarray(image).astype(np.int32)
    if step != 1:
        stored //= step
    return apply_label_map(stored, label_map, ignore_label)


def apply_label_map(
    stored: np.ndarray, label_map: LabelMap | None, ignore_label: int
) -> np.ndarray:
    """Turn stored values, integer (H, W) >= 0, into class ids, int32 (H, W)."""
    if label_map is None:
        return stored.astype(np.int32, copy=False)
    top = max(int(stored.max(initial=0)), max(label_map, default=0))
    table = np.full(top + 1, ignore_label, dtype=np.int32)
    for value, class_id in label_map.items():
        table[value] = class_id
    return table[stored]


def write_label(path: str | Path, label: np.ndarray, ignore_label: int = 255) -> None:
    """Write class ids as an 8-bit PNG, or 16-bit where an id does not fit, by rename.

    Args:
        label: integer (H, W), ids in 0..K-1 or `ignore_label`, all in 0..65535.
        ignore_label: counts for the bit depth even if absent, so that all files of a set with
            ignore label 65535 are 16-bit.

    Raises:
        UserError: a value outside 0..65535.
    """
    path = Path(path)
    low, high = int(label.min(initial=0)), max(int(label.max(initial=0)), ignore_label)
    if low < 0 or high > 65535:
        raise UserError(f"{path}: label values {low}..{high} do not fit a PNG (0..65535)")
    depth = np.uint8 if high <= 255 else np.uint16
    with replacing(path) as partial:
        Image.fromarray(label.astype(depth, copy=False)).save(partial, format="PNG")
