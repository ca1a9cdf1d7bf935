"""Sample training batches: shuffled epochs, known for every step in advance."""

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import torch
from torch.utils.data import DataLoader, Dataset, Sampler

from pipeline.core.errors import UserError
from pipeline.core.processes.workers import WorkerContext


class TrainingBatchSampler(Sampler[list[tuple[int, int]]]):
    """Yield batches of `(index, draw)` for steps `start` to `stop` of a run.

    The draws of a run are numbered 0, 1, ...; each epoch has its own permutation of the data,
    decided by the seed. Step s takes draws s*batch to (s+1)*batch, whatever `start` is, and splits
    them over `world` processes.
    """

    def __init__(
        self, size: int, batch: int, seed: int, start: int, stop: int, rank: int, world: int
    ) -> None:
        """size: number of samples; batch: samples in a step, over all processes together.

        UserError where `batch` is no multiple of `world`.
        """
        if batch % world:
            raise UserError(
                f"batch_size = {batch} cannot be split over {world} processes: choose a multiple, "
                "or fewer processes by OVSEG_TRAINING_PROCESSES"
            )
        self.size, self.batch, self.seed = size, batch, seed
        self.start, self.stop = start, stop
        self.rank, self.world = rank, world

    def __len__(self) -> int:
        return max(0, self.stop - self.start)

    def __iter__(self) -> Iterator[list[tuple[int, int]]]:
        share = self.batch // self.world
        current, order = -1, np.empty(0, np.int64)
        for step in range(self.start, self.stop):
            first = step * self.batch + self.rank * share
            batch = []
            for draw in range(first, first + share):
                epoch, place = divmod(draw, self.size)
                if epoch != current:
                    current = epoch
                    order = np.random.default_rng((self.seed, epoch)).permutation(self.size)
                batch.append((int(order[place]), draw))
            yield batch


def loader(
    data: Dataset, sampler: TrainingBatchSampler, collate: Callable[[list], Any], workers: int
) -> DataLoader:
    """Load the batches of `sampler` from `data`; the number of reading processes changes none.

    workers: fresh processes beside this one (see `pipeline.core.processes.workers`), 0 for none.
    """
    return DataLoader(
        data,
        batch_sampler=sampler,
        collate_fn=collate,
        num_workers=workers,
        multiprocessing_context=WorkerContext() if workers else None,
        generator=torch.Generator().manual_seed(sampler.seed),
    )
