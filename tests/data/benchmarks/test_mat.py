"""The reader of `.mat` files: what scipy reads is the same, and damaged bytes end in an error."""

import subprocess
import sys

import numpy as np
import pytest
from scipy.io import loadmat, savemat
from scipy.sparse import csc_array, issparse

from pipeline.data.benchmarks.mat import DamagedMat, read_matrix

MUTATED = """
import sys
from pathlib import Path
import numpy as np
from pipeline.data.benchmarks.pascal import decode_context
from pipeline.core.errors import UserError
whole, path = Path(sys.argv[1]).read_bytes(), Path(sys.argv[2])
rng = np.random.default_rng(0)
counts = [0, 0]
for place in range(len(whole)):
    for value in {0, 1, 5, 12, 187, 255, whole[place] ^ 1, *rng.integers(0, 256, 3).tolist()}:
        path.write_bytes(whole[:place] + bytes([value]) + whole[place + 1 :])
        try:
            counts[0] += decode_context(path).ndim == 2
        except UserError as error:
            assert str(path) in str(error)
            counts[1] += 1
print(*counts)
"""
MATRIX = np.arange(12).reshape(3, 4)


@pytest.mark.parametrize("compressed", [False, True])
@pytest.mark.parametrize(
    "label",
    [
        *(MATRIX.astype(kind) for kind in ("u1", "i1", "u2", "i2", "u4", "i4", "u8", "f4", "f8")),
        MATRIX > 3,
        np.ones((1, 1), np.uint8),
        np.zeros((0, 3)),
        csc_array(MATRIX.astype(float)),
        csc_array((3, 4)),
    ],
)
def test_what_scipy_reads_is_the_same(tmp_path, label, compressed):
    others = {"a": "text", "b": {"c": np.ones(3)}, "d": np.array([1, "x"], object)}
    savemat(tmp_path / "x.mat", others | {"LabelMap": label}, do_compression=compressed)
    found = read_matrix(tmp_path / "x.mat", "LabelMap")
    expected = loadmat(tmp_path / "x.mat")["LabelMap"]
    assert issparse(found) == issparse(expected)
    if issparse(found):
        found, expected = found.toarray(), expected.toarray()
    assert np.array_equal(found, expected)
    assert read_matrix(tmp_path / "x.mat", "missing") is None


@pytest.mark.parametrize("compressed", [False, True])
@pytest.mark.parametrize("sparse", [False, True])
def test_any_changed_byte_is_a_value_or_an_error(tmp_path, compressed, sparse):
    """In a process of its own: scipy's reader ended it."""
    label = csc_array(MATRIX.astype(float)) if sparse else MATRIX.astype(np.uint16)
    content = {"LabelMap": label, "after": np.ones((2, 2))}
    savemat(tmp_path / "x.mat", content, do_compression=compressed)
    command = [sys.executable, "-c", MUTATED, str(tmp_path / "x.mat"), str(tmp_path / "y.mat")]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert all(int(count) > 100 for count in done.stdout.split())


def test_a_cut_file_is_refused(tmp_path):
    savemat(tmp_path / "x.mat", {"LabelMap": MATRIX})
    whole = (tmp_path / "x.mat").read_bytes()
    for end in range(129, len(whole)):
        (tmp_path / "y.mat").write_bytes(whole[:end])
        with pytest.raises(DamagedMat):
            read_matrix(tmp_path / "y.mat", "LabelMap")


def test_a_type_that_is_none_is_refused(tmp_path):
    """Such a byte ended scipy's reader."""
    savemat(tmp_path / "x.mat", {"LabelMap": MATRIX})
    whole = bytearray((tmp_path / "x.mat").read_bytes())
    assert whole[168] == 1 and whole[176:184] == b"LabelMap"
    for kind in (0, 14, 187):
        whole[168] = kind
        (tmp_path / "x.mat").write_bytes(whole)
        with pytest.raises(DamagedMat, match=f"8 bytes of type {kind} in place of name"):
            read_matrix(tmp_path / "x.mat", "LabelMap")
