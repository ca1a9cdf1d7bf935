"""Decoded pairs in memory that processes share."""

import os
import pickle
import tempfile
from pathlib import Path

import numpy as np
import pytest
import torch

from pipeline.core.sampler import TrainingBatchSampler, loader
from pipeline.finetune.augment import Batch, RegionSet, stack
from pipeline.finetune.decoded import DecodedPairs
from pipeline.finetune.pair_set import PairSet, open_pairs
from tests.clip.tiny import write_pairs


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
        return list(loader(regions, TrainingBatchSampler(13, 4, 0, 0, 5, 0, 1), stack, workers))

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


def test_what_is_put_is_got_until_the_budget_is_used():
    decoded = DecodedPairs(3, 2 * (3 + 1) * 6)  # two crops of 2 x 3 and their masks
    crops = [np.full((2, 3, 3), value, np.uint8) for value in (7, 8, 9)]
    mask = np.array([[True, False, True], [False, True, False]])
    assert [decoded.put(number, crops[number], mask) for number in (2, 0, 1)] == [True, True, False]
    assert len(decoded) == 2 and decoded.get(1) is None
    for number in (0, 2):
        crop, found = decoded.get(number)
        assert np.array_equal(crop, crops[number]) and np.array_equal(found, mask)
