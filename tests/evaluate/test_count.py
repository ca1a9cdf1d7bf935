"""Counts of shards, added up; what is none is refused."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from pipeline.core.errors import UserError
from pipeline.core.shards import run_shards
from pipeline.data.sets import save_eval_set
from pipeline.evaluate import count
from pipeline.evaluate.variants import Variant
from tests.evaluate.small_set import small_set


def test_counts_that_are_pickles_are_refused_and_not_run(tmp_path):
    """numpy's own format can hold pickles; the shard's checksum is right here."""

    class Harm:
        def __reduce__(self):
            return open, (str(tmp_path / "harm"), "w")

    def make(items, folder):
        np.savez(folder / "small.npz", variant=np.array([Harm()], object))
        return {}

    run_shards(tmp_path / "shards", [0], 1, make, {}, "", names=["small.npz"])
    with pytest.raises(UserError, match="small-00000.npz: not a readable shard of counts.*pickle"):
        count.sum_shards(tmp_path / "shards", "small", [], 3)
    assert not (tmp_path / "harm").exists()


def write_counts(folder: Path, *shards: list[tuple[int, int, int]]) -> Path:
    """A folder of shards with these rows of variant, cell and pixels."""

    def make(items, made):
        [rows] = items
        variant, cell, pixels = np.array(rows, np.int64).reshape(-1, 3).T
        np.savez(made / "small.npz", variant=variant, cell=cell, pixels=pixels)
        return {}

    run_shards(folder, list(shards), 1, make, {}, "", names=["small.npz"])
    return folder


def test_matrices_are_the_sums_of_the_shards(tmp_path):
    folder = write_counts(tmp_path, [(0, 1, 5), (1, 0, 2)], [], [(0, 0, 1), (0, 1, 3), (1, 5, 7)])
    found = count.sum_shards(folder, "small", [Variant("segmenter"), Variant("clip")], classes=2)
    assert found[Variant("segmenter")].tolist() == [[1, 8, 0], [0, 0, 0]]
    assert found[Variant("clip")].tolist() == [[2, 0, 0], [0, 0, 7]]


@pytest.mark.parametrize(
    ("rows", "words"),
    [
        ([(2, 0, 1)], "out of range or out of order"),
        ([(0, 3, 1), (0, 1, 1)], "out of range or out of order"),
        ([(0, 1, 1), (0, 1, 1)], "out of range or out of order"),
        ([(0, 6, 1)], "cells or counts are out of range"),
        ([(0, 0, -1)], "cells or counts are out of range"),
    ],
)
def test_counts_that_are_none_are_named(tmp_path, rows, words):
    folder = write_counts(tmp_path, rows)
    with pytest.raises(UserError, match=f"small-00000.npz: not a readable shard .*{words}"):
        count.sum_shards(folder, "small", [Variant("segmenter"), Variant("clip")], classes=2)


def test_sets_of_the_same_pictures_are_found(tmp_path):
    (tmp_path / "pictures").mkdir()
    eval_set = small_set(tmp_path / "pictures")
    for name, changes in {
        "a": {}, "b": {"classes": ["x"] * 5}, "fewer": {"images": eval_set.images[1:]},
        "elsewhere": {"root": tmp_path},
    }.items():  # fmt: skip
        save_eval_set(tmp_path / f"sets/{name}.json", replace(eval_set, name=name, **changes))
    others = ["elsewhere", "b", "a", "fewer", "not prepared"]
    assert count.same_pictures(tmp_path, "a", others) == ["b", "a"]
