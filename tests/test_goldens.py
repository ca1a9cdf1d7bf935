"""Our modules against numbers that they did not make.

Those of the original implementation, every file of the folder OVSEG_GOLDENS, which is not part of
this repository (its licence is another):

    OVSEG_GOLDENS=../shared/reference python -m pytest tests/test_goldens.py

and those of our own reference (tests/reference), in tests/golden_data, which are always compared.
Features, logits, maps, losses and gradients within `tests.goldens.allowed`; assignments, boxes,
valid flags, tokens and metrics exactly. Which checks a file gets follows from its description in
goldens.json (tests/golden_checks/all.py).
"""

import shutil

import numpy as np
import pytest
import torch

from tests.golden_checks.all import check
from tests.goldens import ABSENT, FOLDER, OWN, Golden, allowed, index
from tests.reference.make import goldens, stored


@pytest.mark.skipif(not index(FOLDER), reason=ABSENT)
@pytest.mark.parametrize("name", index(FOLDER))
def test_golden(name):
    check(Golden(name, FOLDER))


@pytest.mark.parametrize("name", index(OWN))
def test_golden_of_our_reference(name):
    check(Golden(name, OWN))


@pytest.mark.parametrize("folder", [FOLDER, OWN], ids=["original", "own"])
def test_every_file_is_described(folder):
    if folder == FOLDER and not index(FOLDER):
        pytest.skip(ABSENT)
    assert {path.stem for path in folder.glob("*.npz")} == set(index(folder))


def test_the_reference_makes_the_files_that_are_there():
    """Neither the script nor a file has changed without the other."""
    made = goldens()
    assert index(OWN).keys() == made.keys()
    for name, (about, arrays) in made.items():
        same(index(OWN)[name], about, name)
        with np.load(OWN / f"{name}.npz") as file:
            assert set(file) == set(arrays), name
            for key, value in arrays.items():
                same(file[key], stored(value), f"{name}: {key}")


def same(there, made, what: str) -> None:
    """Equal, numbers within what another processor's exp may differ by."""
    if isinstance(made, dict):
        assert there.keys() == made.keys(), what
        for key, value in made.items():
            same(there[key], value, f"{what}: {key}")
    elif isinstance(made, float):
        assert there == pytest.approx(made, rel=1e-9), what
    elif isinstance(made, np.ndarray):
        assert there.dtype == made.dtype and there.shape == made.shape, what
        if made.dtype.kind == "f":
            least = 2e-7 * max(np.abs(made).max(initial=0), 1e-30)
            assert np.abs(there - made).max(initial=0) <= least, what
        else:
            assert (there == made).all(), what
    else:
        assert there == made, what


def test_what_differs_is_found(tmp_path):
    """Each array of our own folder, changed a little: every check notices."""
    folder = shutil.copytree(OWN, tmp_path / "changed")
    overlooked = []
    for name in index(folder):
        if name.startswith("weights_"):
            continue  # inputs, not results
        with np.load(folder / f"{name}.npz") as file:
            arrays = dict(file)
        whole = Golden(name, folder)
        check(whole)
        for key in arrays.keys() - whole.left_out:
            changed = arrays | {key: disturbed(arrays[key])}
            np.savez(folder / f"{name}.npz", **changed)
            try:
                check(Golden(name, folder))
            except (AssertionError, ValueError):
                continue
            overlooked.append(f"{name}: {key}")
        np.savez(folder / f"{name}.npz", **arrays)
    assert not overlooked


def disturbed(array: np.ndarray) -> np.ndarray:
    """The same shape and type, with every value off by twice what is allowed."""
    if array.dtype == bool:
        return ~array
    if array.dtype.kind in "iu":
        return array + array.dtype.type(1)
    return array + array.dtype.type(2 * allowed(torch.from_numpy(array)))
