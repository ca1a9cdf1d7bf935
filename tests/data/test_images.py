import io
import struct
import zlib

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from pipeline.core.errors import UserError
from pipeline.data import images
from pipeline.data.images import image_size, is_turned, opened_image, read_image
from pipeline.data.labels import read_label
from tests.data.folders import save_picture

ORIENTATION = 0x0112


def test_colour_picture_keeps_its_pixels(tmp_path):
    pixels = save_picture(tmp_path / "a.png")
    found = read_image(tmp_path / "a.png")
    assert found.dtype == np.uint8
    assert np.array_equal(found, pixels)


@pytest.mark.parametrize("mode", ["L", "P", "CMYK", "LA", "RGBA", "1"])
def test_every_mode_becomes_rgb(tmp_path, mode):
    gray = Image.fromarray(np.array([[0, 255], [255, 0]], np.uint8))
    name = "a.jpg" if mode == "CMYK" else "a.png"
    options = {"quality": 100} if mode == "CMYK" else {}
    converted = gray.convert("RGB").convert(mode) if mode == "CMYK" else gray.convert(mode)
    converted.save(tmp_path / name, **options)
    found = read_image(tmp_path / name)
    assert found.shape == (2, 2, 3)
    expected = np.array([[0, 255], [255, 0]])[..., None]
    assert np.abs(found.astype(int) - expected).max() <= 12  # CMYK passes through JPEG


def test_sixteen_bit_gray_is_scaled_not_clipped(tmp_path):
    Image.fromarray(np.array([[0, 257, 65535]], np.uint16)).save(tmp_path / "a.png")
    assert read_image(tmp_path / "a.png")[0, :, 0].tolist() == [0, 1, 255]


# Where the stored pixels [[0, 1, 2], [3, 4, 5]] end up, by the EXIF standard's table.
UPRIGHT = {
    1: [[0, 1, 2], [3, 4, 5]],
    2: [[2, 1, 0], [5, 4, 3]],
    3: [[5, 4, 3], [2, 1, 0]],
    4: [[3, 4, 5], [0, 1, 2]],
    5: [[0, 3], [1, 4], [2, 5]],
    6: [[3, 0], [4, 1], [5, 2]],
    7: [[5, 2], [4, 1], [3, 0]],
    8: [[2, 5], [1, 4], [0, 3]],
}


FORMATS = {
    "a.png": {},
    "a.jpg": {"quality": 100, "subsampling": 0},
    "a.webp": {"lossless": True},
    "raw.tif": {},
    "packed.tif": {"compression": "tiff_lzw"},
}


@pytest.mark.parametrize("file", FORMATS)
@pytest.mark.parametrize("orientation", [*UPRIGHT, 0, 9, 65535])
def test_every_orientation_in_every_format_is_as_the_upright_picture(tmp_path, file, orientation):
    """Values outside 1..8 mean nothing. Size, pixels and Pillow's own opened image agree."""
    stored = np.kron(np.arange(6, dtype=np.uint8).reshape(2, 3) * 50, np.ones((16, 16), np.uint8))
    exif = Image.Exif()
    exif[ORIENTATION] = 6 if file == "packed.tif" else orientation
    Image.fromarray(np.stack([stored] * 3, -1)).save(tmp_path / file, exif=exif, **FORMATS[file])
    if file == "packed.tif":  # libtiff writes no value outside 1..8
        tag = (ORIENTATION, 3, 1)
        old, new = (struct.pack("<HHIH", *tag, value) for value in (6, orientation))
        content = (tmp_path / file).read_bytes()
        assert content.count(old) == 1
        (tmp_path / file).write_bytes(content.replace(old, new))
    upright = np.kron(np.array(UPRIGHT.get(orientation, UPRIGHT[1])) * 50, np.ones((16, 16)))

    path, exact = tmp_path / file, 2 if file == "a.jpg" else 0
    assert image_size(path) == upright.shape
    assert image_size(path, upright=False) == stored.shape
    assert np.abs(read_image(path)[..., 0] - upright).max() <= exact
    assert np.abs(read_image(path, upright=False)[..., 0].astype(int) - stored).max() <= exact
    assert is_turned(path) == (2 <= orientation <= 8)
    with Image.open(path) as image:
        assert np.array_equal(opened_image(image), read_image(path))
        image.load()
        assert np.array_equal(opened_image(image), read_image(path))


@pytest.mark.parametrize("mode", ["YCbCr", "HSV", "LAB", "RGBa", "RGBX", "PA"])
def test_other_modes_that_pillow_knows_become_rgb(mode):
    pixels = np.full((2, 3, 3), (200, 30, 90), np.uint8)
    found = opened_image(Image.fromarray(pixels).convert("RGBA").convert(mode))
    assert np.abs(found.astype(int) - pixels).max() <= (60 if mode == "PA" else 3)  # web palette


def test_a_mode_without_a_rule_is_refused():
    with pytest.raises(UserError, match="the picture: cannot be decoded .*La"):
        opened_image(Image.new("La", (2, 2)))


GRAY = np.array([[0, 1, 51, 128, 255]])


@pytest.mark.parametrize("bits", [8, 10, 12, 14, 16])
@pytest.mark.parametrize("file", ["a.png", "a.tif"])
def test_the_depth_of_whole_numbers_is_the_first_that_holds_them(tmp_path, bits, file):
    values = np.rint(GRAY / 255 * (2**bits - 1)).astype(np.uint16)
    Image.fromarray(values).save(tmp_path / file)
    assert read_image(tmp_path / file)[0].tolist() == np.stack([GRAY[0]] * 3, -1).tolist()


def deep(channels: str, values: np.ndarray, suffix: str) -> bytes:
    """A picture of 16 bits a channel; the alpha is what no colour may be taken from."""
    alpha = np.array([[65535, 65535, 65535, 65535, 0]], np.uint16)
    if channels == "LA":  # which neither Pillow nor OpenCV writes
        rows = np.stack([values, alpha], -1).astype(">u2")
        header = struct.pack(">IIBBBBB", values.shape[1], len(values), 16, 4, 0, 0, 0)
        pixels = zlib.compress(b"".join(b"\0" + row.tobytes() for row in rows))
        data = b"\x89PNG\r\n\x1a\n"
        for name, content in ((b"IHDR", header), (b"IDAT", pixels), (b"IEND", b"")):
            data += struct.pack(">I", len(content)) + name + content
            data += struct.pack(">I", zlib.crc32(name + content))
        return data
    blue, green, red = values // 2, values * 0, values  # OpenCV's order
    stacked = np.stack([blue, green, red, alpha][: len(channels)], -1)
    return cv2.imencode(suffix, stacked)[1].tobytes()


@pytest.mark.parametrize("bits", [8, 10, 12, 14, 16])
@pytest.mark.parametrize(
    "channels, suffix",
    [("RGB", ".png"), ("RGBA", ".png"), ("LA", ".png"), ("RGB", ".tif"), ("RGBA", ".tif")],
)
def test_colours_of_few_bits_in_16_are_not_dark(tmp_path, bits, channels, suffix):
    """They were nearly black: only gray ones followed the rule."""
    values = np.rint(GRAY / 255 * (2**bits - 1)).astype(np.uint16)
    path = tmp_path / f"a{suffix}"
    path.write_bytes(deep(channels, values, suffix))
    found = read_image(path)[0].astype(int)
    if channels == "LA":
        expected = np.stack([GRAY[0]] * 3, -1)
    else:
        expected = np.stack([GRAY[0], GRAY[0] * 0, GRAY[0] / 2], -1)
    assert np.abs(found - expected).max() <= 1
    with Image.open(path) as image:
        assert np.array_equal(opened_image(image), read_image(path))
    with open(path, "rb") as stream, Image.open(stream) as image:
        assert np.array_equal(opened_image(image), read_image(path))


@pytest.mark.parametrize("orientation", UPRIGHT)
@pytest.mark.parametrize("suffix", [".png", ".tif"])
def test_colours_of_few_bits_are_turned_too(tmp_path, orientation, suffix):
    stored = np.arange(6, dtype=np.uint16).reshape(2, 3) * 800
    path = tmp_path / f"a{suffix}"
    ok, data = cv2.imencode(suffix, np.stack([stored] * 3, -1))
    path.write_bytes(_with_orientation(data.tobytes(), suffix, orientation))
    expected = np.array(UPRIGHT[orientation]) * 800 * 255 / 4095
    found = read_image(path)[..., 0].astype(float)
    assert image_size(path) == found.shape and np.abs(found - expected).max() <= 1
    flat = read_image(path, upright=False)[..., 0].astype(float)
    assert np.abs(flat - stored * 255.0 / 4095).max() <= 1


def _with_orientation(data: bytes, suffix: str, orientation: int) -> bytes:
    """The file with the orientation as EXIF (PNG), or in place of a TIFF tag not needed."""
    if suffix == ".png":
        exif = Image.Exif()
        exif[ORIENTATION] = orientation
        content = exif.tobytes().removeprefix(b"Exif\0\0")
        chunk = struct.pack(">I", len(content)) + b"eXIf" + content
        return data[:33] + chunk + struct.pack(">I", zlib.crc32(b"eXIf" + content)) + data[33:]
    with Image.open(io.BytesIO(data)) as image:
        assert 284 in image.tag_v2  # planar configuration, 1 by default
    old = struct.pack("<HHIH", 284, 3, 1, 1)
    assert data.count(old) == 1
    entries = data.index(old)
    tag = struct.pack("<HHIH", ORIENTATION, 3, 1, orientation)
    return data[:entries] + tag + data[entries + 10 :]


def ppm(values: np.ndarray, maxval: int) -> bytes:
    """A PGM or PPM of 16 bits, (H, W) or (H, W, 3)."""
    head = f"P{5 if values.ndim == 2 else 6}\n{values.shape[1]} {values.shape[0]}\n{maxval}\n"
    return head.encode() + values.astype(">u2").tobytes()


@pytest.mark.parametrize("colours", [False, True])
@pytest.mark.parametrize("maxval", [1000, 4095, 65535])
@pytest.mark.parametrize("darker", [1, 8])
def test_the_white_that_a_ppm_states_counts(tmp_path, colours, maxval, darker):
    """A gray picture that is dark was made brighter than the same one in colours; without a maxval
    of its own (65535) one in colours stayed nearly black."""
    values = np.rint(GRAY / 255 * min(maxval, 4095) / darker)
    stored = np.stack([values] * 3, -1) if colours else values
    (tmp_path / "a.ppm").write_bytes(ppm(stored, maxval))
    white = maxval if maxval != 65535 else 4095 if darker == 1 else 1023
    found = read_image(tmp_path / "a.ppm")[0].astype(float)
    assert np.abs(found - values[0][:, None] * 255 / white).max() <= 0.51


def chunk(name: bytes, content: bytes) -> bytes:
    return (
        struct.pack(">I", len(content))
        + name
        + content
        + struct.pack(">I", zlib.crc32(name + content))
    )


@pytest.mark.parametrize("channels", ["gray", "RGB"])
def test_values_of_a_png_with_significant_bits_fill_16_bits(tmp_path, channels):
    values = np.array([[0, 100, 2000, 4000]], np.uint16)
    stored = np.stack([values] * 3, -1) if channels == "RGB" else values
    data = cv2.imencode(".png", stored)[1].tobytes()
    bits = chunk(b"sBIT", b"\x0c" * (3 if channels == "RGB" else 1))
    (tmp_path / "plain.png").write_bytes(data)
    (tmp_path / "stated.png").write_bytes(data[:33] + bits + data[33:])
    assert read_image(tmp_path / "plain.png")[0, :, 0].tolist() == [0, 6, 125, 249]
    assert read_image(tmp_path / "stated.png")[0, :, 0] == pytest.approx(values[0] / 257, abs=1)
    content = (tmp_path / "stated.png").read_bytes()
    assert np.array_equal(
        images.decoded_image(content, "upload"), read_image(tmp_path / "stated.png")
    )


def tiff(bits: int, channels: int, kind: int, pixels: bytes, width: int = 4) -> bytes:
    """A little-endian TIFF of one row. kind: 1 whole numbers, 2 signed ones, 3 floats."""
    extra = 8 + 2 + 10 * 12 + 4  # behind the only directory
    one = channels == 1
    tags = [
        (256, 3, 1, width), (257, 3, 1, 1), (258, 3, channels, bits if one else extra),
        (259, 3, 1, 1), (262, 3, 1, 1 if one else 2), (273, 4, 1, extra + 12),
        (277, 3, 1, channels), (278, 3, 1, 1), (279, 4, 1, len(pixels)), (339, 3, 1, kind),
    ]  # fmt: skip
    entries = b"".join(struct.pack("<HHII", *tag) for tag in tags)
    head = b"II*\0" + struct.pack("<IH", 8, len(tags)) + entries + bytes(4)
    return head + struct.pack("<3H", bits, bits, bits) + bytes(6) + pixels


def test_a_tiff_of_12_bits_states_white(tmp_path):
    """100 and 400 of 4095, packed; by their values alone they would be of 10 bits."""
    (tmp_path / "a.tif").write_bytes(tiff(12, 1, 1, bytes.fromhex("064190 064190")))
    assert read_image(tmp_path / "a.tif")[0, :, 0].tolist() == [6, 25, 6, 25]


@pytest.mark.parametrize(
    "bits, channels, kind, words",
    [
        (64, 1, 3, "1 channel of 64-bit floats"),
        (32, 3, 3, "3 channels of 32-bit floats"),
        (16, 3, 3, "3 channels of 16-bit floats"),
        (32, 3, 1, "3 channels of 32-bit whole numbers"),
    ],
)
def test_the_pixels_of_a_tiff_that_is_not_read_are_named(tmp_path, bits, channels, kind, words):
    """They were told to "put a whole one there"."""
    data = tiff(bits, channels, kind, bytes(4 * bits * channels // 8))
    (tmp_path / "a.tif").write_bytes(data)
    for read in (read_image, image_size, read_label):
        with pytest.raises(UserError, match=rf"a.tif: not .* \(a TIFF of {words}\); save it in 8"):
            read(tmp_path / "a.tif")
    with pytest.raises(UserError, match=rf"^upload: .*{words}"):
        images.decoded_image(data, "upload")


def test_bytes_that_are_no_picture_are_shown_and_not_our_objects():
    with pytest.raises(UserError, match=r"^upload: .*\(it is empty\); put a whole one there$"):
        images.decoded_image(b"", "upload")
    with pytest.raises(UserError, match=r"\(no known format starts with b'hello'\)"):
        images.decoded_image(b"hello", "upload")


def test_deep_colours_above_their_limit_are_refused(tmp_path, monkeypatch):
    monkeypatch.setattr(images, "DEEP_LIMIT", 4)
    (tmp_path / "a.png").write_bytes(deep("RGB", GRAY.astype(np.uint16), ".png"))
    with pytest.raises(UserError, match="a.png: 5 x 1 pixels that use few of their 16 bits"):
        read_image(tmp_path / "a.png")


@pytest.mark.parametrize("kind", ["ICO", "ICNS"])
def test_icons_are_refused(tmp_path, kind):
    Image.new("RGB", (64, 64)).save(tmp_path / "a.png", kind)
    with pytest.raises(UserError, match="a.png: an icon .* save as PNG"):
        read_image(tmp_path / "a.png")


@pytest.mark.parametrize("white", [1, 255])
def test_floats_of_0_to_1_and_whole_ones_of_0_to_255_are_read(tmp_path, white):
    Image.fromarray((GRAY / 255 * white).astype(np.float32)).save(tmp_path / "a.tif")
    assert read_image(tmp_path / "a.tif")[0, :, 0].tolist() == GRAY[0].tolist()


@pytest.mark.parametrize(
    "values",
    [
        np.float32([[0, 1.5]]), np.float32([[0, 0.5, 200]]), np.float32([[0, 256]]),
        np.float32([[-0.1, 1]]), np.float32([[0, np.nan, 1]]), np.float32([[0, np.inf]]),
        np.int32([[-1, 9]]), np.int32([[0, 65536]]),
    ],
)  # fmt: skip
def test_values_without_a_rule_are_refused_by_name(tmp_path, values):
    Image.fromarray(values).save(tmp_path / "a.tif")
    with pytest.raises(
        UserError, match="a.tif: holds values .* expected (values within 0..1|0..65535)"
    ):
        read_image(tmp_path / "a.tif")


def test_bands_give_what_the_whole_gives(tmp_path, monkeypatch):
    rng = np.random.default_rng(0)
    exif = Image.Exif()
    exif[ORIENTATION] = 8
    pictures = {
        "rgb.png": rng.integers(0, 256, (37, 23, 3), dtype=np.uint8),
        "deep.png": rng.integers(0, 65536, (37, 23), dtype=np.uint16),
        "float.tif": rng.random((37, 23), dtype=np.float32),
    }
    for name, pixels in pictures.items():
        Image.fromarray(pixels).save(tmp_path / name, exif=exif)
    whole = {name: read_image(tmp_path / name) for name in pictures}
    monkeypatch.setattr(images, "_BAND", 100)
    for name in pictures:
        assert np.array_equal(read_image(tmp_path / name), whole[name])


def promising(path, width, height):
    """A PNG of a few bytes whose header promises so many pixels."""
    buffer = io.BytesIO()
    Image.new("L", (1, 1)).save(buffer, "PNG")
    data = bytearray(buffer.getvalue())
    data[16:24] = width.to_bytes(4, "big") + height.to_bytes(4, "big")
    data[29:33] = zlib.crc32(data[12:29]).to_bytes(4, "big")
    path.write_bytes(data)


@pytest.mark.parametrize("size", [(20_000, 10_001), (2**31 - 1, 2**31 - 1)])
@pytest.mark.filterwarnings("error")
def test_a_picture_too_large_is_refused_by_its_header(tmp_path, size):
    promising(tmp_path / "a.png", *size)
    for read in (read_image, image_size, read_label):
        with pytest.raises(UserError, match=r"a.png: .*more than the 200,000,000 .* smaller"):
            read(tmp_path / "a.png")


LIMITS = {"PNG": 200, "TIFF": 200, "JPEG": 150, "AVIF": 150, "WEBP": 100, "JPEG2000": 60, "TGA": 60}


@pytest.mark.parametrize("kind", LIMITS)
def test_the_limit_is_that_of_the_format(tmp_path, monkeypatch, kind):
    """In pixels here instead of millions."""
    monkeypatch.setattr(images, "LIMITS", {key: n // 10**6 for key, n in images.LIMITS.items()})
    monkeypatch.setattr(images, "OTHER_LIMIT", images.OTHER_LIMIT // 10**6)
    most = LIMITS[kind] // 10
    Image.new("RGB", (10, most)).save(tmp_path / "a.x", kind)
    Image.new("RGB", (10, most + 1)).save(tmp_path / "b.x", kind)
    assert read_image(tmp_path / "a.x").shape == (most, 10, 3)
    with pytest.raises(UserError, match=f"b.x: .* more than the {most}0 that are read of a {kind}"):
        read_image(tmp_path / "b.x")
    with Image.open(tmp_path / "b.x") as image, pytest.raises(UserError, match=f"the {most}0 "):
        opened_image(image)


@pytest.mark.filterwarnings("ignore")
@settings(deadline=None, max_examples=200)
@given(st.sampled_from(["PNG", "JPEG", "TIFF", "WEBP", "BMP", "GIF", "PPM"]), st.data())
def test_any_bytes_are_a_picture_or_an_error_that_names_the_file(tmp_path_factory, kind, data):
    buffer = io.BytesIO()
    Image.fromarray(np.arange(108, dtype=np.uint8).reshape(6, 6, 3)).save(buffer, kind)
    content = bytearray(buffer.getvalue())
    spots = st.tuples(st.integers(0, len(content) - 1), st.integers(0, 255))
    for place, value in data.draw(st.lists(spots, max_size=5)):
        content[place] = value
    path = tmp_path_factory.mktemp("bytes") / "a.png"
    path.write_bytes(content[: data.draw(st.integers(0, len(content)))])
    for read in (read_image, image_size, read_label):
        try:
            read(path)
        except UserError as error:
            assert str(path) in str(error)


def test_cut_short_picture_is_named(tmp_path):
    save_picture(tmp_path / "a.jpg", 64, 64, quality=100)
    whole = (tmp_path / "a.jpg").read_bytes()
    (tmp_path / "short.jpg").write_bytes(whole[:-100])
    with pytest.raises(ValueError, match="short.jpg: not a readable picture"):
        read_image(tmp_path / "short.jpg")
    assert image_size(tmp_path / "short.jpg") == (64, 64)


@pytest.mark.parametrize("content", [b"", b"not a picture"])
def test_garbage_is_named(tmp_path, content):
    (tmp_path / "a.jpg").write_bytes(content)
    for read in (read_image, image_size):
        with pytest.raises(ValueError, match="a.jpg: not a readable picture"):
            read(tmp_path / "a.jpg")


def test_missing_picture_is_named(tmp_path):
    for read in (read_image, image_size):
        with pytest.raises(FileNotFoundError, match="a.jpg: no such picture"):
            read(tmp_path / "a.jpg")


@pytest.mark.parametrize("suffix", [".png", ".jpg", ".webp", ".tif"])
def test_damage_in_the_pixels_is_an_error_and_never_black(tmp_path, suffix):
    """Asking a PNG for its orientation decodes it; the error of that was swallowed."""
    rng = np.random.default_rng(0)
    file = tmp_path / f"a{suffix}"
    Image.fromarray(rng.integers(0, 256, (64, 48, 3), dtype=np.uint8)).save(file)
    whole, right = file.read_bytes(), read_image(file)
    for place in np.linspace(len(whole) // 3, len(whole) - 40, 12).astype(int):
        file.write_bytes(whole[:place] + bytes(20) + whole[place + 20 :])
        try:
            found = read_image(file)
        except UserError as error:
            assert str(file) in str(error)
        else:  # formats without checksums; what is read is near, not black
            assert suffix != ".png" and found.shape == right.shape and found.any()


@pytest.mark.parametrize("kind", ["L", "I;16", "F"])
def test_tiffs_whose_least_value_is_white_are_no_negatives(tmp_path, kind):
    ramp = np.tile(np.linspace(0, 1, 16), (4, 1))
    stored = {"L": (ramp * 255).astype(np.uint8), "I;16": (ramp * 65535).astype(np.uint16),
              "F": ramp.astype(np.float32)}[kind]  # fmt: skip
    dark, light = tmp_path / "dark.tif", tmp_path / "light.tif"
    Image.fromarray(stored).save(dark)
    content = dark.read_bytes()
    entry = content.index(b"\x06\x01\x03\x00\x01\x00\x00\x00\x01")  # photometric 1
    light.write_bytes(content[: entry + 8] + b"\x00" + content[entry + 9 :])
    found = read_image(light)[..., 0].astype(int)
    assert np.abs(found - (255 - read_image(dark)[..., 0].astype(int))).max() <= 1
    assert found[0, 0] > 250 and found[0, -1] < 5
