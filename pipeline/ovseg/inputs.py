"""What people hand to a model: pictures and class names in any usual form."""

import os
from collections.abc import Iterable
from pathlib import Path

import numpy as np
from PIL import Image

from pipeline.core.errors import UserError
from pipeline.data.class_list import name_faults, text_fault
from pipeline.data.images import check_pixels, opened_image, read_image

Picture = np.ndarray | Image.Image | str | Path
"""See `as_pixels`."""
Names = str | Iterable[str]
"""See `as_names`."""


def as_pixels(picture: Picture) -> np.ndarray:
    """Return a picture as uint8 RGB `(H, W, 3)`.

    picture: a file, or a Pillow image of any mode, either of which becomes what the pipeline's
    reader makes of it (upright, without alpha, 16-bit gray scaled to 8 bits); or a uint8 array:
    RGB `(H, W, 3)`, RGBA `(H, W, 4)`, whose alpha is dropped, or gray `(H, W)` or `(H, W, 1)`.
    UserError for any other array, such as one of floats (is white 1 or 255?), an empty one, one
    of more pixels than are read from files, or a file that cannot be read.
    """
    if isinstance(picture, str | os.PathLike):
        return read_image(picture)
    if isinstance(picture, Image.Image):
        return opened_image(picture)
    array = np.asarray(picture)
    if array.ndim == 2:
        array = array[:, :, None]
    fits = array.ndim == 3 and array.shape[2] in (1, 3, 4) and array.size > 0
    if not fits or array.dtype != np.uint8:
        raise UserError(
            f"picture is {array.dtype} {np.shape(picture)}; expected uint8 RGB (height, width, 3), "
            "a Pillow image or the path of a file"
        )
    check_pixels(array.shape[1], array.shape[0], "picture")
    rgb = array[:, :, :3] if array.shape[2] > 1 else array.repeat(3, axis=2)
    return np.require(rgb, requirements=["C", "W"])  # torch takes no mirrored or locked memory


def as_names(names: Names) -> list[str]:
    """Return class names as a list.

    A single string is split at commas, as on the command line: "cat, dog" are two names, and
    "soccer ball" is one. Of anything else each element is one name, commas and all. UserError for
    what is no list of names (see `pipeline.data.class_list`), and for an element that is no string,
    or no text: bytes that were not UTF-8 leave half characters.
    """
    if isinstance(names, np.ndarray):
        names = names.tolist()
    if isinstance(names, str):
        parts = _texts([name.strip() for name in names.split(",")])
        if fault := text_fault(names):
            raise UserError(f"class names: {names[:80]!r} {fault}")
        return parts
    if not isinstance(names, Iterable):
        raise UserError(f"class names are {names!r}; expected strings, or one with commas between")
    listed = list(names)
    if wrong := [name for name in listed if not isinstance(name, str)]:
        raise UserError(f"class name {wrong[0]!r} is no string, but a {type(wrong[0]).__name__}")
    listed = _texts([str(name) for name in listed])
    if faults := name_faults(listed, "each as an element of its own"):
        raise UserError(f"class names: {faults[min(faults)]}")
    return listed


def _texts(names: list[str]) -> list[str]:
    for name in names:
        try:
            name.encode()
        except UnicodeEncodeError as error:
            half = name[error.start]
            raise UserError(
                f"class name {name!a} is no text: {half!a} in it is no character"
            ) from None
    return names
