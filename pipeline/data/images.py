"""Decoding pictures to what every model here reads: upright 8-bit RGB.

Real folders hold grayscale, CMYK, palette and 16-bit files, files with an EXIF orientation (the
camera was turned; the pixels were not) and files cut short by a download. All of them either become
`uint8 (H, W, 3)` or raise a `UserError` that names the file.
"""

from pathlib import Path

import numpy as np
from PIL import Image

from pipeline.errors import MissingFileError, UserError

_EXIF_ORIENTATION = 0x0112
_TRANSPOSE = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}
_DECODE_ERRORS = (OSError, SyntaxError, ValueError, Image.DecompressionBombError)


def read_image(path: str | Path, upright: bool = True) -> np.ndarray:
    """Decode a picture.

    Args:
        path: any format Pillow reads.
        upright: apply the EXIF orientation. False gives the stored pixels.

    Returns:
        uint8 (H, W, 3), RGB, 0..255. Alpha is dropped, 16-bit grayscale is scaled to 8 bits.

    Raises:
        MissingFileError: no such file.
        UserError: the file is not a picture or is cut short; the message names it.
    """
    path = Path(path)
    try:
        with Image.open(path) as image:
            return _pixels(image, upright)
    except FileNotFoundError:
        raise MissingFileError(f"{path}: no such picture") from None
    except _DECODE_ERRORS as error:
        raise UserError(
            f"{path}: not a readable picture ({error}); put a whole one there"
        ) from error


def opened_image(image: Image.Image) -> np.ndarray:
    """A picture that Pillow has opened or made, as `read_image` gives it: upright, uint8
    (H, W, 3). UserError where its file is closed or cut short."""
    try:
        return _pixels(image, upright=True)
    except _DECODE_ERRORS as error:
        name = getattr(image, "filename", "") or "the picture"
        raise UserError(f"{name}: cannot be decoded ({error})") from error


def image_size(path: str | Path, upright: bool = True) -> tuple[int, int]:
    """Height and width, from the header alone.

    Args:
        upright: of the upright picture. False gives the size of the stored pixels, and is much
            faster for PNGs, whose orientation may stand behind the pixels.

    Raises as `read_image` does, but a file cut short after its header goes unnoticed here.
    """
    path = Path(path)
    try:
        with Image.open(path) as image:
            width, height = image.size
            turned = upright and _orientation(image) >= 5
    except FileNotFoundError:
        raise MissingFileError(f"{path}: no such picture") from None
    except _DECODE_ERRORS as error:
        raise UserError(
            f"{path}: not a readable picture ({error}); put a whole one there"
        ) from error
    return (width, height) if turned else (height, width)


def is_turned(path: str | Path) -> bool:
    """Whether the upright picture has its pixels in other places than the stored one. Raises as
    `image_size` does."""
    image_size(path)
    with Image.open(path) as image:
        return _orientation(image) in _TRANSPOSE


def _pixels(image: Image.Image, upright: bool) -> np.ndarray:
    orientation = _orientation(image) if upright else 1
    image.load()
    rgb = _to_rgb(image)
    if orientation in _TRANSPOSE:
        rgb = rgb.transpose(_TRANSPOSE[orientation])
    return np.array(rgb, dtype=np.uint8)


def _orientation(image: Image.Image) -> int:
    """The EXIF orientation, 1 (upright) when there is none or the EXIF block is broken."""
    try:
        return int(image.getexif().get(_EXIF_ORIENTATION, 1))
    except (SyntaxError, ValueError, TypeError, OSError):
        return 1


def _to_rgb(image: Image.Image) -> Image.Image:
    if image.mode.startswith("I") or image.mode == "F":
        values = np.asarray(image, dtype=np.float32)
        # 16-bit gray: 65535 is white. Pillow's own conversion would clip at 255 instead.
        scale = 257.0 if values.max(initial=0.0) > 255 else 1.0
        gray = np.clip(np.rint(values / scale), 0, 255).astype(np.uint8)
        return Image.fromarray(gray).convert("RGB")
    return image.convert("RGB")
