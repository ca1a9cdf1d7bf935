import io
import os
import pickle
import tarfile
import tempfile
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from pipeline.clip.augment import Batch, RegionSet, stack
from pipeline.clip.pair_set import PairSet, open_pairs
from pipeline.draws import Draws, loader
from tests.clip.tiny import COLOURS, wedge, write_pairs


def test_pairs_are_read_as_written(tmp_path):
    pairs = PairSet(write_pairs(tmp_path, 7, per_shard=3))
    rng = np.random.default_rng(0)
    assert len(pairs) == 7 and set(pairs.nouns) <= set(COLOURS)
    assert pairs.nouns == sorted(pairs.nouns)
    assert pairs.image_ids.tolist() == [0, 0, 1, 1, 2, 2, 3]
    for i in range(7):
        noun = list(COLOURS)[rng.integers(len(COLOURS))]
        crop, mask = wedge(COLOURS[noun], rng)
        assert pairs.nouns[pairs.noun_ids[i]] == noun
        assert np.array_equal(pairs[i].crop, crop) and np.array_equal(pairs[i].mask, mask)


@pytest.mark.parametrize("budget", [0, 2**30])
def test_decoding_ahead_changes_nothing(tmp_path, budget):
    write_pairs(tmp_path, 7)
    plain, ahead = PairSet(tmp_path), open_pairs(tmp_path, budget)
    for i in range(7):
        assert np.array_equal(plain[i].crop, ahead[i].crop)


def test_decoded_pairs_never_pass_the_budget(tmp_path):
    plain = PairSet(write_pairs(tmp_path, 11))
    four = sum(plain[i].crop.nbytes + plain[i].mask.nbytes for i in range(4))
    for budget, kept in ((four, 4), (four - 1, 3), (0, 0)):
        assert PairSet(tmp_path, budget).decode() == kept
    pairs = PairSet(tmp_path, four)
    pairs.decode()
    for i in range(11):
        assert np.array_equal(pairs[i].crop, plain[i].crop)
        assert np.array_equal(pairs[i].mask, plain[i].mask)


@pytest.mark.parametrize("workers", [0, 1, 2])
def test_what_is_decoded_reaches_the_processes_of_the_loader(tmp_path, workers):
    """The shards are gone by then: nobody can read a pair again."""

    def batches(pairs: PairSet, workers: int) -> list[Batch]:
        regions = RegionSet(pairs, 24, torch.zeros(3), torch.ones(3), "mean", 0.9, seed=0)
        return list(loader(regions, Draws(13, 4, 0, 0, 5, 0, 1), stack, workers))

    expected = batches(PairSet(write_pairs(tmp_path, 13)), 0)
    pairs = open_pairs(tmp_path)
    for shard in tmp_path.glob("*.tar"):
        shard.unlink()
    found = batches(pairs, workers)
    assert len(found) == len(expected) == 5
    for one, other in zip(found, expected, strict=True):
        assert torch.equal(one.images, other.images) and torch.equal(one.masks, other.masks)
        assert torch.equal(one.noun_ids, other.noun_ids)


def test_pairs_for_another_machine_are_read_there(tmp_path):
    pairs = open_pairs(write_pairs(tmp_path, 5))
    data = pickle.dumps(pairs)
    assert len(data) < 10_000
    there = pickle.loads(data)
    assert all(np.array_equal(there[i].crop, pairs[i].crop) for i in range(5))


def test_decoded_pairs_have_no_file_that_could_be_left_behind(tmp_path, monkeypatch):
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "temporary"))
    (tmp_path / "temporary").mkdir()
    shared = Path("/dev/shm")
    before = {*shared.iterdir()} if shared.is_dir() else set()
    for memory in (True, False):
        if not memory:  # as on macOS
            monkeypatch.delattr(os, "memfd_create", raising=False)
        pairs = open_pairs(write_pairs(tmp_path / "pairs", 5))
        assert pairs[0].mask.any() and not list((tmp_path / "temporary").iterdir())
        if shared.is_dir():
            assert not [f for f in {*shared.iterdir()} - before if "ovseg" in f.name]


def test_faults_are_named(tmp_path):
    with pytest.raises(FileNotFoundError, match="expected the shards of the stage `pairs`"):
        PairSet(tmp_path)
    with tarfile.open(tmp_path / "pairs-00000.tar", "w"):
        pass
    with pytest.raises(ValueError, match="its 1 shards hold no pairs"):
        PairSet(tmp_path)
    _tar(tmp_path / "pairs-00000.tar", {"a.png": b"x", "a.txt": b"dog", "a.json": b"{}"})
    with pytest.raises(ValueError, match=r"pair a has no .mask.png, expected the members .png"):
        PairSet(tmp_path)
    members = {"a.png": b"x", "a.mask.png": b"x", "a.txt": b"dog", "a.json": b'{"image_id": 3}'}
    _tar(tmp_path / "pairs-00000.tar", members)
    with pytest.raises(ValueError, match="pair 0 cannot be read as PNG"):
        PairSet(tmp_path)[0]
    _tar(tmp_path / "pairs-00000.tar", members | {"a.json": b"{}"})
    with pytest.raises(ValueError, match="not a readable shard"):
        PairSet(tmp_path)
    sizes = {
        "a.png": _png(np.zeros((3, 4, 3), np.uint8)),
        "a.mask.png": _png(np.zeros((4, 3), "B")),
    }
    _tar(tmp_path / "pairs-00000.tar", members | sizes)
    with pytest.raises(ValueError, match=r"crop of \(3, 4\) and a mask of \(4, 3\)"):
        PairSet(tmp_path)[0]
    (tmp_path / "pairs-00000.tar").write_bytes(b"cut short" * 100)
    with pytest.raises(ValueError, match="not a readable shard of pairs"):
        PairSet(tmp_path)


def _png(pixels):
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, "PNG")
    return buffer.getvalue()


def _tar(path, members):
    with tarfile.open(path, "w") as tar:
        for name, data in members.items():
            info = tarfile.TarInfo(name)
            info.size = len(data)
            tar.addfile(info, io.BytesIO(data))
