"""Label files of every kind: what is stored is what is read, and any bytes are read or refused."""

import struct
import zlib
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes, arrays
from PIL import Image
from scipy.io import savemat
from scipy.sparse import csc_array, issparse

from pipeline.data.benchmarks.cocostuff import decode_panoptic
from pipeline.data.benchmarks.mat import read_matrix
from pipeline.data.benchmarks.pascal import decode_context
from pipeline.data.label_values import stored_values
from pipeline.data.labels import read_label
from tests.properties.inputs import BYTES, QUICK, answer, mutated

SHAPES = array_shapes(min_dims=2, max_dims=2, max_side=9)
GRAY, PALETTE = 0, 3


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    return tmp_path_factory.mktemp("labels")


def chunk(name: bytes, content: bytes) -> bytes:
    checksum = struct.pack(">I", zlib.crc32(name + content))
    return struct.pack(">I", len(content)) + name + content + checksum


def png(values: np.ndarray, bits: int, kind: int, others: list[tuple[bytes, bytes]]) -> bytes:
    """A PNG that stores exactly these values. others: chunks before the pixels."""
    height, width = values.shape
    if bits == 16:
        rows = [row.astype(">u2").tobytes() for row in values]
    else:
        unpacked = np.unpackbits(values.astype(np.uint8)[..., None], axis=2)[..., -bits:]
        rows = [np.packbits(row).tobytes() for row in unpacked.reshape(height, -1)]
    header = struct.pack(">IIBBBBB", width, height, bits, kind, 0, 0, 0)
    chunks = [(b"IHDR", header), *others, (b"IDAT", zlib.compress(b"\0" + b"\0".join(rows)))]
    return b"\x89PNG\r\n\x1a\n" + b"".join(chunk(*each) for each in [*chunks, (b"IEND", b"")])


@st.composite
def labels(draw) -> tuple[np.ndarray, bytes]:
    """Values, and a PNG of them: gray or palette of any depth, with what tools write beside."""
    kind = draw(st.sampled_from([GRAY, PALETTE]))
    bits = draw(st.sampled_from([1, 2, 4, 8, 16][: 4 if kind == PALETTE else 5]))
    values = draw(arrays(np.int32, SHAPES, elements=st.integers(0, 2**bits - 1)))
    others = [(b"gAMA", struct.pack(">I", 45455))] if draw(st.booleans()) else []
    if draw(st.booleans()):
        size = 3 if kind == PALETTE else 1
        others.append((b"sBIT", bytes([min(bits, 8)]) * size))
    if kind == PALETTE:
        colours = draw(st.binary(min_size=3 * 2**bits, max_size=3 * 2**bits))
        others.append((b"PLTE", colours))
    if draw(st.booleans()):
        alpha = draw(st.binary(min_size=1, max_size=2**bits)) if kind == PALETTE else b"\0\1"
        others.append((b"tRNS", alpha))
    return values, png(values, bits, kind, others)


@given(labels())
@QUICK
def test_label_pngs_are_read_as_they_are_stored(folder, stored):
    values, data = stored
    path = folder / "a.png"
    path.write_bytes(data)
    assert np.array_equal(read_label(path), values)
    found, counts = np.unique(values, return_counts=True)
    assert stored_values(path) == dict(zip(found.tolist(), counts.tolist(), strict=True))


@given(st.one_of(BYTES, labels().flatmap(lambda stored: mutated(stored[1]))))
@QUICK
def test_any_bytes_as_a_label_png(folder, data):
    path = folder / "a.png"
    path.write_bytes(data)
    values = answer(lambda: read_label(path), path)
    assert values is None or (values.dtype == np.int32 and values.ndim == 2)


@st.composite
def matrices(draw):
    """What a map of MATLAB may be: whole numbers or floats of any size, sparse or not."""
    dtype = draw(st.sampled_from(["u1", "i1", "u2", "i2", "u4", "i4", "f4", "f8", "?"]))
    elements = st.integers(0, 1 if dtype == "?" else 120)
    matrix = draw(arrays(np.dtype(dtype), SHAPES, elements=elements))
    if draw(st.booleans()):
        return csc_array(matrix.astype(float if dtype != "?" else bool))
    return matrix


@given(matrices(), st.booleans())
@QUICK
def test_mat_maps_are_read_as_they_are_stored(folder, matrix, compressed):
    path = folder / "a.mat"
    savemat(path, {"other": "text", "LabelMap": matrix}, do_compression=compressed)
    found = read_matrix(path, "LabelMap")
    assert issparse(found) == issparse(matrix)
    dense, expected = (m.toarray() if issparse(m) else m for m in (found, matrix))
    assert np.array_equal(dense, expected)
    assert np.array_equal(decode_context(path), expected.astype(np.int64))


def mat_bytes(folder: Path) -> list[bytes]:
    path, written = folder / "b.mat", []
    for matrix in (np.arange(12, dtype=np.uint16).reshape(3, 4), csc_array(np.eye(3))):
        for compressed in (False, True):
            savemat(path, {"LabelMap": matrix}, do_compression=compressed)
            written.append(path.read_bytes())
    return written


@given(st.data())
@QUICK
def test_any_bytes_as_a_mat_map(folder, data):
    path = folder / "a.mat"
    path.write_bytes(data.draw(st.one_of(BYTES, *map(mutated, mat_bytes(folder)))))
    values = answer(lambda: decode_context(path), path)
    assert values is None or values.ndim == 2


SEGMENTS = st.dictionaries(
    st.integers(1, 2**24 - 1), st.tuples(st.integers(1, 200), st.booleans()), max_size=6
)


@given(SEGMENTS, st.data())
@QUICK
def test_panoptic_ids_are_read_as_they_are_stored(folder, segments, data):
    """Red + 256 green + 65536 blue; a crowd and what no segment covers are 0."""
    ids = np.array(data.draw(arrays(np.int64, SHAPES, elements=st.sampled_from([0, *segments]))))
    path = folder / "p.png"
    colours = np.stack([ids & 255, ids >> 8 & 255, ids >> 16], -1).astype(np.uint8)
    Image.fromarray(colours).save(path)
    category = {0: 0} | {number: 0 if many else kind for number, (kind, many) in segments.items()}
    listed = [[number, kind, int(many)] for number, (kind, many) in segments.items()]
    expected = [[category[number] for number in row] for row in ids.tolist()]
    assert decode_panoptic(path, listed).tolist() == expected


@given(st.data())
@QUICK
def test_any_bytes_as_a_panoptic_png(folder, data):
    path = folder / "p.png"
    Image.fromarray(np.array([[[1, 2, 3], [0, 0, 0]]], np.uint8)).save(path)
    path.write_bytes(data.draw(st.one_of(BYTES, mutated(path.read_bytes()))))
    found = answer(lambda: decode_panoptic(path, [[1 + 512 + 3 * 65536, 7, 0]]), path)
    assert found is None or found.dtype == np.uint16
