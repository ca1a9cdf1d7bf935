"""Batches of every step are known in advance, whoever loads them."""

import pytest
from torch.utils.data import Dataset

from pipeline.core.sampler import TrainingBatchSampler, loader


def batches(start=0, stop=6, rank=0, world_size=1, size=10, batch=4, seed=0):
    return list(TrainingBatchSampler(size, batch, seed, start, stop, rank, world_size))


def test_every_pass_shows_every_picture_once():
    seen = [index for batch in batches(stop=5) for index, _ in batch]
    assert sorted(seen[:10]) == sorted(seen[10:20]) == list(range(10))
    assert seen[:10] != seen[10:20]
    assert [draw for batch in batches() for _, draw in batch] == list(range(24))


def test_a_resumed_run_goes_on_where_it_stopped():
    assert batches(start=3) == batches()[3:]
    assert batches(start=6) == []


def test_processes_share_every_batch():
    shares = [batches(rank=rank, world_size=2) for rank in range(2)]
    assert [a + b for a, b in zip(*shares, strict=True)] == batches()
    with pytest.raises(ValueError, match="batch_size = 4 cannot be split over 3"):
        batches(world_size=3)


class Squares(Dataset):
    """Element (index, draw) is its index squared and its draw."""

    def __len__(self) -> int:
        return 10

    def __getitem__(self, where: tuple[int, int]) -> tuple[int, int]:
        index, draw = where
        return index**2, draw


def test_a_loader_gives_the_samplers_batches_in_order():
    sampler = TrainingBatchSampler(10, 4, 0, 2, 5, 0, 1)
    found = list(loader(Squares(), sampler, list, workers=0))
    assert found == [[(index**2, draw) for index, draw in batch] for batch in batches(2, 5)]
