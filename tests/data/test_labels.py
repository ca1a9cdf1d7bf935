import struct
import zlib

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from PIL import Image

from pipeline.core.errors import UserError
from pipeline.data.label_values import stored_values
from pipeline.data.labels import apply_label_map, read_label, write_label


def test_values_without_a_map_stay(tmp_path):
    values = np.array([[0, 7, 255]], np.uint8)
    write_label(tmp_path / "a.png", values)
    found = read_label(tmp_path / "a.png")
    assert found.dtype == np.int32
    assert found.tolist() == [[0, 7, 255]]


def test_unlisted_values_are_ignored(tmp_path):
    write_label(tmp_path / "a.png", np.array([[0, 1, 2, 255]]))
    assert read_label(tmp_path / "a.png", {1: 0, 2: 1, 300: 2}, 255).tolist() == [[255, 0, 1, 255]]
    assert read_label(tmp_path / "a.png", {}, 65535).tolist() == [[65535] * 4]


def test_palette_indices_count_not_colours(tmp_path):
    picture = Image.fromarray(np.array([[3, 1]], np.uint8), mode="P")
    picture.putpalette([0, 0, 0, 9, 9, 9, 50, 0, 0, 0, 70, 0])
    picture.save(tmp_path / "a.png")
    assert read_label(tmp_path / "a.png").tolist() == [[3, 1]]


def gray_png(path, values, bits):
    """A gray PNG of so few bits a pixel, which Pillow does not write by itself from values."""
    height, width = values.shape
    rows = np.unpackbits(values.astype(np.uint8)[..., None], axis=2)[..., -bits:].reshape(
        height, -1
    )
    lines = b"".join(b"\0" + np.packbits(row).tobytes() for row in rows)
    header = struct.pack(">IIBBBBB", width, height, bits, 0, 0, 0, 0)
    chunks = [(b"IHDR", header), (b"IDAT", zlib.compress(lines)), (b"IEND", b"")]
    path.write_bytes(
        b"\x89PNG\r\n\x1a\n"
        + b"".join(
            struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
            for kind, data in chunks
        )
    )


@pytest.mark.parametrize("bits", [1, 2, 4, 8])
def test_gray_of_few_bits_keeps_the_stored_values(tmp_path, bits):
    values = np.arange(2**bits * 3).reshape(3, -1) % 2**bits
    gray_png(tmp_path / "a.png", values, bits)
    assert np.array_equal(read_label(tmp_path / "a.png"), values)
    assert stored_values(tmp_path / "a.png") == dict.fromkeys(range(2**bits), 3)


@pytest.mark.parametrize("bits", [1, 2, 4])
def test_palettes_of_few_bits_keep_their_indices(tmp_path, bits):
    values = np.arange(2**bits * 3).reshape(3, -1) % 2**bits
    picture = Image.fromarray(values.astype(np.uint8), mode="P")
    picture.putpalette([7 * i % 256 for i in range(3 * 2**bits)])
    picture.save(tmp_path / "a.png", bits=bits)
    assert np.array_equal(read_label(tmp_path / "a.png"), values)


@pytest.mark.parametrize("kind", ["JPEG", "GIF", "TIFF"])
def test_another_format_under_the_name_of_a_png_is_refused(tmp_path, kind):
    Image.fromarray(np.array([[3, 1]], np.uint8)).save(tmp_path / "a.png", kind)
    with pytest.raises(UserError, match=f"a.png: a {kind} file whatever its name says"):
        read_label(tmp_path / "a.png")


def test_sixteen_bits_where_needed(tmp_path):
    write_label(tmp_path / "deep.png", np.array([[846, 65535]]), 65535)
    write_label(tmp_path / "flat.png", np.array([[0, 255]]), 255)
    assert read_label(tmp_path / "deep.png").tolist() == [[846, 65535]]
    with Image.open(tmp_path / "flat.png") as flat, Image.open(tmp_path / "deep.png") as deep:
        assert (flat.mode, deep.mode) == ("L", "I;16")


def test_colour_picture_is_refused(tmp_path):
    Image.new("RGB", (2, 2)).save(tmp_path / "a.png")
    with pytest.raises(ValueError, match="a.png: a RGB picture; a label map is one channel"):
        read_label(tmp_path / "a.png")


def test_faults_name_the_file(tmp_path):
    (tmp_path / "bad.png").write_bytes(b"\x89PNG")
    with pytest.raises(ValueError, match="bad.png: not a readable label map"):
        read_label(tmp_path / "bad.png")
    with pytest.raises(FileNotFoundError, match="no.png: no such label map"):
        read_label(tmp_path / "no.png")
    with pytest.raises(ValueError, match="values -1..255 do not fit"):
        write_label(tmp_path / "a.png", np.array([[-1, 0]]))


@settings(deadline=None)
@given(
    arrays(np.int32, (3, 4), elements=st.integers(0, 300)),
    st.dictionaries(st.integers(0, 300), st.integers(0, 50), max_size=20),
)
def test_table_equals_pixelwise_lookup(stored, label_map):
    expected = [[label_map.get(int(v), 255) for v in row] for row in stored]
    assert apply_label_map(stored, label_map, 255).tolist() == expected


def test_empty_label_map_picture():
    assert apply_label_map(np.zeros((0, 3), np.int32), {1: 0}, 255).shape == (0, 3)


@pytest.mark.parametrize("tag", [2, 3, 6, 8])
def test_a_label_map_that_a_tag_turns_is_refused(tmp_path, tag):
    """Its picture is read upright: with the same tag on both, labels would lie upside down."""
    exif = Image.Exif()
    exif[0x0112] = tag
    Image.fromarray(np.eye(4, dtype=np.uint8)).save(tmp_path / "a.png", exif=exif)
    with pytest.raises(UserError, match=f"a.png: a label map with the orientation tag {tag}"):
        read_label(tmp_path / "a.png")
    exif[0x0112] = 1
    Image.fromarray(np.eye(4, dtype=np.uint8)).save(tmp_path / "a.png", exif=exif)
    assert read_label(tmp_path / "a.png").sum() == 4
