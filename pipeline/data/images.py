"""Decode pictures to what every model here reads: upright 8-bit RGB.

All pictures go through this one reader: files of data sets, files named on the command line,
uploads of the web page and Pillow images from Python. Size, orientation and pixels come from the
same code.

Pixel formats, by Pillow's name for the mode, and the value that becomes white (255):

    1, L, P, PA       1 bit: 1; gray: 255 (of 2 and 4 bits 3 and 15); the colours of the palette
    RGB, YCbCr, HSV   255; of 16 bits a channel in PNG, TIFF and PPM, also in gray with alpha, as
                      for I;16 below, by the largest value of all colours; elsewhere, and where
                      the caller's Pillow has decoded the picture already, the upper 8 bits
    LA, RGBA, RGBX    as without alpha: it is dropped, not blended, so that what lies below a
                      transparent pixel shows
    CMYK, LAB         Pillow's conversion; colour profiles of files are not applied
    I;16*, I          whole numbers: what the file states, else 255, 1023, 4095, 16383 or 65535,
                      the first that the largest value of the picture does not pass; cameras and
                      scanners store 10, 12 or 14 bits in 16. Negative values or more than 65535:
                      UserError
    F                 all values within 0..1: 1. Whole numbers within 0..255: 255. Any others, also
                      NaN: UserError, since white is undefined
    others            UserError, such as TIFFs of 64-bit floats or of floats in colours

White is stated by the maxval of a PPM or PGM, unless it is 65535, which is also written for fewer
bits; by the bits of a JPEG 2000 and of a TIFF of 12 bits; and by the chunk sBIT of a PNG, whose
values fill all 16 bits, as the PNG standard has it. TIFF's MaxSampleValue says what occurs, not
what is white, and is not used.

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
import warnings
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, cast

import cv2
import numpy as np
from PIL import Image, ImageFile, TiffImagePlugin, UnidentifiedImageError

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
warnings.filterwarnings("ignore", category=UserWarning, module=r"PIL\.")
"""Pillow warns of broken EXIF data and palettes with alpha, which matter to nobody here, and names
no file."""

_ICONS = ("ICO", "ICNS")

_ORIENTATION = 0x0112
_PHOTOMETRIC = 262  # of TIFF: 0 means that the least value is white
_BITS, _CHANNELS, _SAMPLE_FORMAT = 258, 277, 339  # of TIFF
_TIFF_NUMBERS = {1: "whole numbers", 2: "signed whole numbers", 3: "floats"}
_BIG_TIFF = 43  # the number in its header, which has twice the length of that of other TIFFs
_FULL = 65535  # the largest value in 16 bits
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
    """Return whether the orientation of a picture moves its pixels. Raises as `image_size` does."""
    with open_picture(path) as image:
        return _orientation(image) != 1


@contextmanager
def open_picture(
    path: str | Path, what: str = "picture", data: bytes | None = None
) -> Iterator[Image.Image]:
    """Open a file with Pillow without decoding it; errors raised inside the `with` name the file.

    what: what the file should hold, for messages. data: its bytes, if they are read already;
    `path` is then only a name for messages.
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
        raise UserError(f"{path}: not a readable {what} {_fault(error, path, data)}") from error


def _fault(error: Exception, path: str | Path, data: bytes | None) -> str:
    """Say why a file cannot be read, in brackets, and what to do."""
    if isinstance(error, UnidentifiedImageError):  # its text holds no reason
        with open(path, "rb") if data is None else io.BytesIO(data) as file:
            if pixels := _tiff_pixels(file):
                return f"(a TIFF of {pixels}); save it in 8 bits, or gray in 32-bit floats of 0..1"
            file.seek(0)
            start = file.read(16)
        error = ValueError(f"no known format starts with {start!r}" if start else "it is empty")
    return f"({error}); put a whole one there"


def _tiff_pixels(file: IO[bytes]) -> str:
    """Return what each pixel of a TIFF is, by its tags; "" for another or a broken file."""
    header = file.read(8)
    if header[:4] not in TiffImagePlugin.PREFIXES:
        return ""
    if _BIG_TIFF in header[2:4]:
        header += file.read(8)
    try:
        tags = TiffImagePlugin.ImageFileDirectory_v2(header)
        file.seek(tags.next)
        tags.load(file)
        bits, channels = tags[_BITS], tags.get(_CHANNELS, 1)
        kind = tags.get(_SAMPLE_FORMAT, (1,))[0]
    except _DECODE_ERRORS:
        return ""
    numbers = _TIFF_NUMBERS.get(kind, "numbers of another kind")
    noun = "channel" if channels == 1 else "channels"
    return f"{channels} {noun} of {bits[0]}-bit {numbers}"


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
    tiff = image if isinstance(image, TiffImagePlugin.TiffImageFile) else None
    stated = _stated_white(image)
    file = _file(image) if _has_deep_colours(image) and stated is None else None
    if tiff is None:  # asking a PNG for its orientation decodes it, and must not swallow damage
        image.load()
    orientation = _orientation(image)
    size = _size(image, orientation if upright else 1)
    negative = tiff is not None and tiff.mode[0] in "IF" and tiff.tag_v2.get(_PHOTOMETRIC) == 0
    image.load()
    if tiff is not None:  # Pillow has put it upright
        left = 1 if upright else _INVERSE.get(orientation, orientation)
    else:
        left = orientation if upright else 1
    pixels = np.empty((*size, 3), np.uint8)
    stored = _turned(pixels, _INVERSE.get(left, left))  # a view: what is written lands in its place
    if stored.shape[:2] != (image.height, image.width):
        raise UserError(f"{name}: is {image.width} x {image.height}, not as its header says")
    white = stated or _white(image, name) if image.mode[0] in "IF" else None
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


def _stated_white(image: Image.Image) -> float | None:
    """Return the value of white that the file of a picture not decoded yet states for what Pillow
    makes of it, None if it states none."""
    tiles = getattr(image, "tile", None)
    if not tiles:
        return None
    decoder, coding = tiles[0].codec_name, tiles[0].args
    if decoder.startswith("ppm"):  # Pillow scales what has a maxval
        return _FULL if coding[-1] != _FULL else None
    if image.format == "PNG" and ";16" in str(coding):
        return _FULL if _has_significant_bits(_file(image)) else None
    if image.format == "TIFF" and "I;12" in str(coding):
        return 2**12 - 1
    return _FULL if decoder == "jpeg2k" and image.mode == "I;16" else None


def _has_significant_bits(file: str | bytes) -> bool:
    """Return whether a PNG has the chunk sBIT, which stands before its pixels."""
    with open(file, "rb") if isinstance(file, str) else io.BytesIO(file) as png:
        png.seek(8)
        while len(head := png.read(8)) == 8 and head[4:] != b"IDAT":
            if head[4:] == b"sBIT":
                return True
            png.seek(int.from_bytes(head[:4], "big") + 4, io.SEEK_CUR)  # the checksum too
    return False


def _white(image: Image.Image, name: str) -> float:
    """Return the value of white in a picture of whole or real numbers, by its values."""
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
    """Return whether Pillow will keep the upper 8 of 16 bits of the colours of a PNG, TIFF or
    PPM."""
    tiles = getattr(image, "tile", None)  # empty once decoded
    if not tiles or image.mode not in ("RGB", "RGBA", "RGBX", "LA"):
        return False
    if image.format == "PPM":
        return tiles[0].codec_name.startswith("ppm") and tiles[0].args[-1] == _FULL
    return image.format in ("PNG", "TIFF") and ";16" in str(tiles[0].args)


def _file(image: Image.Image) -> str | bytes:
    """Return the file that a picture not decoded yet is read from: its path, or else all its
    bytes."""
    assert isinstance(image, ImageFile.ImageFile) and image.fp is not None, "opened, not decoded"
    if image.filename:
        return image.filename
    at = image.fp.tell()
    image.fp.seek(0)
    data = image.fp.read()
    image.fp.seek(at)
    return data


def _largest(image: Image.Image) -> int:
    """Return the largest 8-bit value of the colours, alpha apart."""
    colours = 1 if image.mode == "LA" else 3
    highest = []
    for _, band in _bands(image):
        extrema = cast(tuple[tuple[int, int], ...], band.getextrema())  # it has several channels
        highest += [high for _, high in extrema[:colours]]
    return max(highest, default=0)


def _deep_colours(file: str | bytes, image: Image.Image, name: str) -> np.ndarray:
    """Return colours of 16 bits that use 14 of them or fewer, as 8 bits, stored way up."""
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
