"""Decode pictures to what every model here reads: upright 8-bit RGB.

All pictures go through this one reader: files of data sets, files named on the command line,
uploads of the web page and Pillow images from Python. Size, orientation and pixels come from the
same code.

Pixel formats, by Pillow's name for the mode, and the value that becomes white (255):

    1, L, P, PA       1 bit: 1; gray: 255 (of 2 and 4 bits 3 and 15); the colours of the palette
    RGB, YCbCr, HSV   255; of 16 bits a channel in PNG and TIFF, also in gray with alpha, as for
                      I;16 below, by the largest value of all colours; elsewhere, and where the
                      caller's Pillow has decoded the picture already, the upper 8 bits
    LA, RGBA, RGBX    as without alpha: it is dropped, not blended, so that what lies below a
                      transparent pixel shows
    CMYK, LAB         Pillow's conversion; colour profiles of files are not applied
    I;16*, I          whole numbers: 255, 1023, 4095, 16383 or 65535, the first that the largest
                      value of the picture does not pass; cameras and scanners store 10, 12 or 14
                      bits in 16. Negative values or more than 65535: UserError
    F                 all values within 0..1: 1. Whole numbers within 0..255: 255. Any others, also
                      NaN: UserError, since white is undefined
    others            UserError

Orientation: EXIF (for TIFF the tag of the file, in PNG and WebP XMP too) 2..8 is applied; a value
outside 1..8, or none, leaves the stored pixels as they are.

Size: a picture of more pixels than its format may have is refused by its header. Reading takes 4
bytes of memory a pixel in Pillow and 3 for the result, in bands of rows; what the decoders of some
formats need beside these sets the limits, in million pixels (in brackets the bytes a pixel):

    PNG, TIFF, BMP, GIF, PPM      200 (7 to 8)      WebP                    100 (15)
    JPEG, MPO, AVIF               150 (9)           JPEG 2000, any other     60 (19)

Colours that use 14 bits or fewer of 16 are decoded once more, which takes 8 bytes more: 100 million
pixels at most. Icons (ICO, ICNS) are refused: they hold files whose size their
header does not tell.
"""

import io
import struct
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import cv2
import numpy as np
from PIL import Image, TiffImagePlugin

from pipeline.core.errors import MissingFileError, UserError

MAX_PIXELS = 200_000_000
"""Largest picture that is read, in pixels: what telephones take at most. Small files can hold far
larger ones, which would not fit into memory."""
LIMITS = {
    **dict.fromkeys(("PNG", "TIFF", "BMP", "GIF", "PPM"), MAX_PIXELS),
    **dict.fromkeys(("JPEG", "MPO", "AVIF"), 150_000_000),
    "WEBP": 100_000_000,
}
"""Largest number of pixels by Pillow's name for the format. A picture made in memory has no format
and may have `MAX_PIXELS`."""
OTHER_LIMIT = 60_000_000
"""Most pixels of any other format."""
DEEP_LIMIT = 100_000_000
"""Most pixels of a picture whose colours use 14 bits or fewer of 16."""
Image.MAX_IMAGE_PIXELS = None  # its limit would print a warning before `check_pixels` refuses

_ICONS = ("ICO", "ICNS")

_ORIENTATION = 0x0112
_PHOTOMETRIC = 262  # of TIFF: 0 means that the least value is white
_SWAPPED = range(5, 9)  # orientations that exchange width and height
_INVERSE = {6: 8, 8: 6}  # the others undo themselves
_DEPTHS = (8, 10, 12, 14, 16)  # bits in which whole numbers are stored
_BAND = 2**22  # pixels converted at once
_DECODE_ERRORS = (
    OSError, SyntaxError, ValueError, ArithmeticError, LookupError, TypeError, EOFError,
    RuntimeError, struct.error, zlib.error, cv2.error,
)  # fmt: skip


def read_image(path: str | Path, upright: bool = True) -> np.ndarray:
    """Decode a picture by the rules at the top of this module.

    Args:
        path: any format Pillow reads; of several frames the first.
        upright: apply the orientation. False gives the stored pixels.

    Returns:
        uint8 (H, W, 3), RGB, 0..255.

    Raises:
        MissingFileError: no such file.
        UserError: the file is not a picture, is cut short, too large, or of values without a
            rule; the message names it.
    """
    with open_picture(path) as image:
        return _pixels(image, upright, str(path))


def decoded_image(data: bytes, name: str) -> np.ndarray:
    """Decode a file's bytes as `read_image` does; errors start with `name`."""
    with open_picture(name, data=data) as image:
        return _pixels(image, True, name)


def opened_image(image: Image.Image) -> np.ndarray:
    """Convert a picture that Pillow has opened or made as `read_image` does: upright, uint8
    (H, W, 3). UserError if its file is closed or cut short, and as for `read_image`."""
    name = getattr(image, "filename", "") or "the picture"
    try:
        check_pixels(*image.size, name, image.format)
        return _pixels(image, True, name)
    except UserError:
        raise
    except _DECODE_ERRORS as error:
        raise UserError(f"{name}: cannot be decoded ({error})") from error


def image_size(path: str | Path, upright: bool = True) -> tuple[int, int]:
    """Read height and width from the header alone; equal to those of `read_image`.

    Args:
        upright: of the upright picture. False gives the size of the stored pixels, and is much
            faster for PNGs, whose orientation may stand behind the pixels.

    Raises as `read_image` does, but a file cut short after its header goes unnoticed here.
    """
    with open_picture(path) as image:
        return _size(image, _orientation(image) if upright else 1)


def is_turned(path: str | Path) -> bool:
    """Whether the orientation of a picture moves its pixels. Raises as `image_size` does."""
    with open_picture(path) as image:
        return _orientation(image) != 1


@contextmanager
def open_picture(
    path: str | Path, what: str = "picture", data: bytes | None = None
) -> Iterator[Image.Image]:
    """Open a file with Pillow without decoding it; errors raised inside the `with` name the file.

    what: the file should hold, for messages. data: its bytes, if they are read already; `path` is
    then only a name for messages.
    Raises MissingFileError, or UserError for no picture or one above the limit of its format.
    """
    try:
        with Image.open(path if data is None else io.BytesIO(data)) as image:
            check_pixels(*image.size, str(path), image.format)
            if image.format in _ICONS:
                raise UserError(f"{path}: an icon ({image.format}), which is not read; save as PNG")
            yield image
    except UserError:
        raise
    except FileNotFoundError:
        raise MissingFileError(f"{path}: no such {what}") from None
    except _DECODE_ERRORS as error:
        raise UserError(
            f"{path}: not a readable {what} ({error}); put a whole one there"
        ) from error


def check_pixels(width: int, height: int, name: str, format: str | None = None) -> None:
    """Raise UserError, starting with `name`, if a picture has more pixels than its format may have
    (None: made in memory)."""
    limit = MAX_PIXELS if format is None else LIMITS.get(format, OTHER_LIMIT)
    if width * height > limit:
        kind = "" if format is None else f" of a {format} file"
        raise UserError(f"{name}: {width} x {height} pixels, {_too_many(limit, kind)}")


def _too_many(limit: int, kind: str = "") -> str:
    return f"more than the {limit:,} that are read{kind} at most: make it smaller or cut it"


def _pixels(image: Image.Image, upright: bool, name: str) -> np.ndarray:
    is_tiff = isinstance(image, TiffImagePlugin.TiffImageFile)
    file = _file(image) if _has_deep_colours(image) else None
    if not is_tiff:  # asking a PNG for its orientation decodes it, and must not swallow damage
        image.load()
    orientation = _orientation(image)
    size = _size(image, orientation if upright else 1)
    negative = is_tiff and image.mode[0] in "IF" and image.tag_v2.get(_PHOTOMETRIC) == 0
    image.load()
    if is_tiff:  # Pillow has put it upright
        left = 1 if upright else _INVERSE.get(orientation, orientation)
    else:
        left = orientation if upright else 1
    pixels = np.empty((*size, 3), np.uint8)
    stored = _turned(pixels, _INVERSE.get(left, left))  # a view: what is written lands in its place
    if stored.shape[:2] != (image.height, image.width):
        raise UserError(f"{name}: is {image.width} x {image.height}, not as its header says")
    white = _white(image, name) if image.mode[0] in "IF" else None
    if file is not None and _largest(image) < 2 ** (_DEPTHS[-2] - 8):
        stored[:] = _deep_colours(file, image, name)
        return pixels
    for rows, band in _bands(image):
        colours = _to_rgb(band, white)
        stored[rows] = 255 - colours if negative else colours  # Pillow turns 8 bits over by itself
    return pixels


def _orientation(image: Image.Image) -> int:
    """Return the orientation of the stored pixels, 1 (upright) if there is none or a broken one."""
    try:
        found = int(image.getexif().get(_ORIENTATION, 1))
    except (SyntaxError, ValueError, TypeError, OSError):
        return 1
    return found if 1 <= found <= 8 else 1


def _size(image: Image.Image, orientation: int) -> tuple[int, int]:
    """Return height and width after the orientation is applied, before or after decoding."""
    width, height = image.size
    if isinstance(image, TiffImagePlugin.TiffImageFile):  # Pillow gives that of the upright one
        if image.tag_v2.get(_ORIENTATION) in _SWAPPED:
            width, height = height, width
    return (width, height) if orientation in _SWAPPED else (height, width)


def _turned(pixels: np.ndarray, orientation: int) -> np.ndarray:
    """Return an upright view of stored pixels (H, W, 3)."""
    if orientation in (3, 4, 6, 7):
        pixels = pixels[::-1]
    if orientation in (2, 3, 7, 8):
        pixels = pixels[:, ::-1]
    return pixels.swapaxes(0, 1) if orientation in _SWAPPED else pixels


def _bands(image: Image.Image) -> Iterator[tuple[slice, Image.Image]]:
    """Yield the picture in bands of rows."""
    width, height = image.size
    rows = max(1, _BAND // max(width, 1))
    for top in range(0, height, rows):
        bottom = min(top + rows, height)
        yield slice(top, bottom), image.crop((0, top, width, bottom))


def _white(image: Image.Image, name: str) -> float:
    """Return the value of white in a picture of whole or real numbers."""
    lows, highs, whole = [], [], True
    for _, band in _bands(image):
        values = np.asarray(band)
        lows.append(values.min(initial=0))
        highs.append(values.max(initial=0))
        whole = whole and (image.mode != "F" or bool((values == np.rint(values)).all()))
    low, high = np.min(lows, initial=0), np.max(highs, initial=0)  # NaN if any is
    if image.mode == "F":
        if low >= 0 and high <= 1:
            return 1.0
        if low >= 0 and high <= 255 and whole:
            return 255.0
        expected = "values within 0..1, or whole ones within 0..255"
    else:
        whites = [2**bits - 1 for bits in _DEPTHS if high < 2**bits]
        if low >= 0 and whites:
            return float(whites[0])
        expected = "0..65535"
    raise UserError(
        f"{name}: holds values {low:g}..{high:g}, expected {expected}: save it in 8 bits"
    )


def _has_deep_colours(image: Image.Image) -> bool:
    """Whether Pillow is going to keep the upper 8 of 16 bits of a PNG's or TIFF's colours."""
    tiles = getattr(image, "tile", None)  # empty once decoded
    if image.format not in ("PNG", "TIFF") or image.mode not in ("RGB", "RGBA", "RGBX", "LA"):
        return False
    return bool(tiles) and ";16" in str(tiles[0].args)


def _file(image: Image.Image) -> str | bytes:
    """The file that a picture not decoded yet is read from: its path, or else all its bytes."""
    if image.filename:
        return image.filename
    at = image.fp.tell()
    image.fp.seek(0)
    data = image.fp.read()
    image.fp.seek(at)
    return data


def _largest(image: Image.Image) -> int:
    """The largest 8-bit value of the colours, alpha apart."""
    colours = 1 if image.mode == "LA" else 3
    highest = [high for _, band in _bands(image) for _, high in band.getextrema()[:colours]]
    return max(highest, default=0)


def _deep_colours(file: str | bytes, image: Image.Image, name: str) -> np.ndarray:
    """Colours of 16 bits that use 14 of them or fewer, as 8 bits, stored way up."""
    if image.width * image.height > DEEP_LIMIT:
        raise UserError(
            f"{name}: {image.width} x {image.height} pixels that use few of their 16 bits, "
            f"{_too_many(DEEP_LIMIT)}, or save it in 8 bits"
        )
    data = np.frombuffer(file if isinstance(file, bytes) else Path(file).read_bytes(), np.uint8)
    colours = cv2.imdecode(data, cv2.IMREAD_UNCHANGED)
    if colours is None or colours.dtype != np.uint16 or colours.ndim != 3:
        raise UserError(
            f"{name}: its colours use few of their 16 bits and cannot be decoded as such: "
            "save it in 8 bits"
        )
    high = max(int(colours[..., channel].max(initial=0)) for channel in range(3))
    white = next(2**bits - 1 for bits in _DEPTHS if high < 2**bits)
    rgb = np.empty((*colours.shape[:2], 3), np.uint8)
    rows = max(1, _BAND // max(image.width, 1))
    for top in range(0, len(rgb), rows):
        band = colours[top : top + rows, :, 2::-1].astype(np.float32) * 255 / white
        rgb[top : top + rows] = np.rint(band)
    return rgb


def _to_rgb(band: Image.Image, white: float | None) -> np.ndarray:
    if white is None:
        return np.asarray(band.convert("RGB"))
    values = np.asarray(band, dtype=np.float32) * 255 / white
    return np.rint(values).astype(np.uint8)[:, :, None]
