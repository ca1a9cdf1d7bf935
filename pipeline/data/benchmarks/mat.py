"""Read one matrix of a MATLAB file of level 5 (MATLAB 5 to 7, still its default).

scipy.io.loadmat trusts the types and sizes in a file, and one damaged byte can end the process
without an error. Here each one is checked before it is used. Supported are real numeric, logical
and sparse matrices, compressed or not, of either byte order. Files of level 4 and 7.3 (HDF5) are
refused.
"""

import math
import struct
import zlib
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import scipy.sparse

MAX_BYTES = 2**28
"""Largest file, and largest content once inflated: a matrix of 33 million doubles."""

_HEADER, _TAG = 128, 8  # bytes
_MATRIX, _COMPRESSED = 14, 15  # types of elements
_TYPES = {
    1: "i1", 2: "u1", 3: "i2", 4: "u2", 5: "i4", 6: "u4", 7: "f4", 9: "f8", 12: "i8", 13: "u8",
    16: "u1",
}  # fmt: skip
_CLASSES = {
    1: "cell", 2: "struct", 3: "object", 4: "char", 16: "function", 17: "opaque", 18: "object",
}  # fmt: skip
_SPARSE, _NUMERIC, _NAMELESS = 5, range(6, 16), 17
_COMPLEX = 0x800


class DamagedMat(Exception):
    """The file is damaged or of an unsupported kind; the text says which."""


def read_matrix(path: Path, name: str) -> np.ndarray | scipy.sparse.csc_array | None:
    """Read the variable `name` of a file in its stored type; None if there is no such variable.

    Raises FileNotFoundError, or DamagedMat for anything that the module does not support.
    """
    if path.stat().st_size > MAX_BYTES:
        raise DamagedMat(f"more than {MAX_BYTES:,} bytes")
    data = path.read_bytes()
    order = {b"IM": "<", b"MI": ">"}.get(data[126:_HEADER])
    if order is None or struct.unpack(f"{order}H", data[124:126]) != (0x0100,):
        raise DamagedMat("not of MATLAB's level 5 (save it with -v7)")
    for kind, content in _elements(data[_HEADER:], order):
        if kind == _COMPRESSED:
            [(kind, content)] = _elements(_inflated(content), order)
        if kind != _MATRIX:
            raise DamagedMat(f"holds an element of type {kind} where a variable should be")
        found = _variable(content, order, name)
        if found is not None:
            return found
    return None


def _elements(data: bytes, order: str) -> Iterator[tuple[int, bytes]]:
    """Yield type and content of the consecutive elements in `data`."""
    at = 0
    while at < len(data):
        if at + _TAG > len(data):
            raise DamagedMat("cut short")
        kind, size = struct.unpack_from(f"{order}2I", data, at)
        start = at + _TAG
        if kind >> 16:  # up to 4 bytes, in the tag itself
            kind, size, start = kind & 0xFFFF, kind >> 16, at + 4
            if size > 4:
                raise DamagedMat(f"has {size} bytes in place of 4")
            at += _TAG
        else:
            padded = size if kind == _COMPRESSED else -(-size // 8) * 8
            at = start + padded
        if start + size > len(data):
            raise DamagedMat(f"cut short, or an element of {size:,} bytes is none")
        yield kind, data[start : start + size]


def _inflated(data: bytes) -> bytes:
    stream = zlib.decompressobj()
    try:
        content = stream.decompress(data, MAX_BYTES)
    except zlib.error as error:
        raise DamagedMat(str(error)) from error
    if not stream.eof:
        raise DamagedMat(f"cut short, or more than {MAX_BYTES:,} bytes once inflated")
    return content


def _variable(data: bytes, order: str, name: str) -> np.ndarray | scipy.sparse.csc_array | None:
    """Return the matrix in an element, None if it is not the variable `name`."""
    parts = _elements(data, order)
    flags = _values(parts, order, "array flags", "u")
    if len(flags) != 2:
        raise DamagedMat(f"has {len(flags)} array flags in place of 2")
    kind = int(flags[0]) & 0xFF
    if kind == _NAMELESS:
        return None
    shape = tuple(int(n) for n in _values(parts, order, "dimensions", "iu"))
    if _values(parts, order, "name", "iu").tobytes() != name.encode():
        return None
    if kind not in (_SPARSE, *_NUMERIC):
        raise DamagedMat(f"{name} is of class {_CLASSES.get(kind, kind)}, expected numbers")
    if int(flags[0]) & _COMPLEX:
        raise DamagedMat(f"{name} is complex, expected real numbers")
    if len(shape) != 2 or min(shape) < 0:
        raise DamagedMat(f"{name} has the dimensions {shape}, expected height and width")
    if kind == _SPARSE:
        return _sparse(parts, order, shape)
    values = _values(parts, order, "values")
    if len(values) != math.prod(shape):
        raise DamagedMat(f"{name} has {len(values):,} values for the dimensions {shape}")
    return values.reshape(shape, order="F")


def _sparse(
    parts: Iterator[tuple[int, bytes]], order: str, shape: tuple[int, int]
) -> scipy.sparse.csc_array:
    rows = _values(parts, order, "rows", "iu").astype(np.int64)
    starts = _values(parts, order, "columns", "iu").astype(np.int64)
    values = _values(parts, order, "values")
    count = int(starts[-1]) if len(starts) else -1
    right = (
        len(starts) == shape[1] + 1
        and starts[0] == 0
        and (np.diff(starts) >= 0).all()
        and count <= min(len(rows), len(values))
    )
    rows, values = rows[: max(count, 0)], values[: max(count, 0)]  # there may be room for more
    if not right or (len(rows) and not 0 <= rows.min() <= rows.max() < shape[0]):
        raise DamagedMat("a sparse matrix whose rows and columns do not fit its dimensions")
    return scipy.sparse.csc_array((values, rows, starts), shape=shape)


def _values(
    parts: Iterator[tuple[int, bytes]], order: str, what: str, kinds: str = "iuf"
) -> np.ndarray:
    """Return the numbers of the next element, in the machine's byte order."""
    kind, content = next(parts, (0, b""))
    stored = np.dtype(order + _TYPES[kind]) if kind in _TYPES else None
    if stored is None or stored.kind not in kinds or len(content) % stored.itemsize:
        raise DamagedMat(f"has {len(content):,} bytes of type {kind} in place of {what}")
    return np.frombuffer(content, stored).astype(stored.newbyteorder("="))
