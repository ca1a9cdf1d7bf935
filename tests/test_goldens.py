"""Our modules against the numbers of the original: every file of the folder OVSEG_GOLDENS.

    OVSEG_GOLDENS=../shared/reference python -m pytest tests/test_goldens.py

Features, logits, maps, losses and gradients within `tests.goldens.allowed`; assignments, boxes,
valid flags, tokens and metrics exactly. Which checks a file gets follows from
its description in goldens.json (tests/golden_checks/all.py).
"""

import numpy as np
import pytest
import torch

from tests.golden_checks.all import check
from tests.golden_checks.make import make
from tests.goldens import FOLDER, Golden, allowed, index

ABSENT = pytest.mark.skipif(
    not index(FOLDER), reason=f"no goldens at {FOLDER}: set OVSEG_GOLDENS to their folder"
)


@ABSENT
@pytest.mark.parametrize("name", index(FOLDER))
def test_golden(name):
    check(Golden(name, FOLDER))


@ABSENT
def test_every_file_is_described():
    assert {path.stem for path in FOLDER.glob("*.npz")} == set(index(FOLDER))


def test_a_second_folder_of_other_names_seeds_and_sizes(tmp_path):
    make(tmp_path)
    assert len(index(tmp_path)) == 11
    for name in index(tmp_path):
        check(Golden(name, tmp_path))


def test_what_differs_is_found(tmp_path):
    """Each array of the second folder, changed a little: every check notices."""
    make(tmp_path)
    overlooked = []
    for name in index(tmp_path):
        with np.load(tmp_path / f"{name}.npz") as file:
            arrays = dict(file)
        for key in arrays:
            if name.startswith("weights_"):
                continue  # inputs, not results
            changed = arrays | {key: disturbed(arrays[key])}
            np.savez(tmp_path / f"{name}.npz", **changed)
            try:
                check(Golden(name, tmp_path))
            except (AssertionError, ValueError):
                continue
            overlooked.append(f"{name}: {key}")
        np.savez(tmp_path / f"{name}.npz", **arrays)
    assert not overlooked


def disturbed(array: np.ndarray) -> np.ndarray:
    """The same shape and type, with every value off by twice what is allowed."""
    if array.dtype == bool:
        return ~array
    if array.dtype.kind in "iu":
        return array + array.dtype.type(1)
    return array + array.dtype.type(2 * allowed(torch.from_numpy(array)))
