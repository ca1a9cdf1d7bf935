"""Which pictures may be the crop and the mask of a pair."""

import io
import zlib

import cv2
import numpy as np
import pytest
from PIL import Image

from pipeline.core.errors import UserError
from pipeline.finetune.pair_set import PairSet
from tests.finetune.tars import GOOD, own, pictures, saved, stored


def bomb(side: int) -> bytes:
    """A PNG of a few bytes whose header promises side x side pixels."""
    data = bytearray(saved(np.zeros((1, 1), "B")))
    data[16:24] = side.to_bytes(4, "big") * 2
    data[29:33] = zlib.crc32(data[12:29]).to_bytes(4, "big")
    return bytes(data)


@pytest.mark.parametrize(
    "wrong, message",
    [
        (
            {"a.png": b"x"},
            "pair 0, its crop: not a readable picture .no known format starts with b'x'",
        ),
        (
            {"a.png": bomb(30_000)},
            "pair 0, its crop: 30000 x 30000 pixels, more than the 200,000",
        ),
        (
            {"a.mask.png": bomb(30_000)},
            "pair 0, its mask: 30000 x 30000 pixels, more than the 200,000",
        ),
        (pictures(4, 3), r"crop of \(3, 4\) and a mask of \(4, 3\)"),
    ],
)
def test_a_crop_that_is_no_picture_is_named(tmp_path, wrong, message):
    with pytest.raises(UserError, match=message) as error:
        PairSet(stored(tmp_path, pictures() | GOOD | wrong))[0]
    assert "pairs-00000.tar: " in str(error.value)


PALETTE = Image.fromarray(np.array([[0, 1, 2, 0]], np.uint8), "P")
PALETTE.putpalette([255, 255, 255, 0, 0, 0, 9, 0, 0])


def deep(pixels) -> bytes:
    """A PNG of 16 bits a channel; OpenCV's order is BGR."""
    return cv2.imencode(".png", np.array(pixels, np.uint16))[1].tobytes()


ROW = np.array([[0, 1, 2, 0]], np.uint8)  # dark: all but 0 is the object


OPAQUE = np.full_like(ROW, 255)


MASKS = {
    "gray": saved(ROW),
    "bool": saved(ROW > 0),
    "16 bits": saved(ROW.astype(np.uint16)),
    "palette": saved(PALETTE),
    "RGB": saved(np.stack([ROW] * 3, -1)),
    "opaque RGBA": saved(np.stack([ROW] * 3 + [OPAQUE], -1)),
    "opaque LA": saved(np.stack([ROW, OPAQUE], -1)),
}


def with_mask(folder, mask) -> PairSet:
    crop = {"a.png": saved(np.zeros((1, 4, 3), np.uint8))}
    return PairSet(own(folder, crop | GOOD | {"a.mask.png": mask}))


@pytest.mark.parametrize("kind", MASKS)
def test_what_a_mask_stores_counts(tmp_path, kind):
    assert with_mask(tmp_path, MASKS[kind])[0].mask.tolist() == [[False, True, True, False]]


NO_MASKS = {
    "colours": (saved(np.stack([ROW, ROW, ROW * 0], -1)), "has colours"),
    "alpha": (saved(np.stack([OPAQUE] * 3 + [ROW], -1)), "has alpha below 255"),
    "gray with alpha": (saved(np.stack([OPAQUE, ROW], -1)), "has alpha below 255"),
    "alpha 254": (saved(np.stack([ROW, OPAQUE - 1], -1)), "has alpha below 255"),
    "RGB of 16 bits": (deep([[[0] * 3, [9] * 3, [9] * 3, [0] * 3]]), "is RGB of 16 bits"),
    "RGBA of 16 bits": (deep([[[9, 9, 9, 65535]] * 4]), "is RGBA of 16 bits"),
    "nothing": (saved(ROW * 0), "is 0 everywhere"),
    "index 0": (saved(Image.new("P", (4, 1))), "is 0 everywhere"),
    "JPEG": (saved(ROW, "JPEG"), "is a JPEG file"),
    "TIFF": (saved(ROW, "TIFF"), "is a TIFF file"),
}


@pytest.mark.parametrize("kind", NO_MASKS)
def test_a_mask_that_is_none_is_named(tmp_path, kind):
    mask, fault = NO_MASKS[kind]
    pairs = with_mask(tmp_path, mask)
    with pytest.raises(UserError, match=rf"0.tar: pair 0, its mask: {fault}.*; expected a PNG"):
        pairs[0]
    with pytest.raises(UserError, match="members 'a.png' and 'a.mask.png'"):
        pairs[0]


def test_own_crops_are_read_as_every_picture_is(tmp_path):
    deep = np.full((3, 4), 128 * 257, np.uint16)
    turned = Image.fromarray(np.repeat(np.arange(0, 240, 10, dtype=np.uint8), 8).reshape(8, 24))
    exif = Image.Exif()
    exif[0x0112] = 3
    buffer = io.BytesIO()
    turned.save(buffer, "JPEG", quality=100, exif=exif)
    mask = np.zeros((8, 24), np.uint16)
    mask[0, 0] = 256
    jpeg = {"b.jpg": buffer.getvalue(), "b.mask.png": saved(mask), "b.txt": b"cat"}
    gray = {"a.png": saved(deep)}
    members = pictures() | GOOD | gray | jpeg | {"b.json": b'{"image_id": 2}'}
    pairs = PairSet(own(tmp_path, members))
    assert (pairs[0].crop == 128).all()
    expected = np.asarray(turned)[::-1, ::-1].astype(int)
    assert np.abs(pairs[1].crop[..., 0] - expected).max() <= 3
    assert pairs[1].mask[0, 0] and pairs[1].mask.sum() == 1


def test_no_bytes_of_a_picture_end_in_a_trace(tmp_path):
    """Whatever Pillow raises on foreign bytes; their checksum is right here."""
    rng = np.random.default_rng(0)
    whole = saved(rng.integers(0, 255, (9, 9, 3), dtype=np.uint8))
    for number in range(150):
        data = bytearray(whole)
        for place in rng.integers(8, len(data), rng.integers(1, 4)):
            data[place] = rng.integers(256)
        chunk = 8
        while chunk + 12 <= len(data):  # so that Pillow looks at the content
            end = chunk + 8 + int.from_bytes(data[chunk : chunk + 4], "big")
            data[end : end + 4] = zlib.crc32(data[chunk + 4 : end]).to_bytes(4, "big")
            chunk = end + 4
        pairs = PairSet(stored(tmp_path / str(number), pictures() | GOOD | {"a.png": bytes(data)}))
        try:
            pairs[0]
        except UserError:
            pass
