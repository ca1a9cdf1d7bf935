"""What a pair costs a process of fine-tuning's loader: read from its shard, or from shared memory.

    python -m tests.benchmarks.bench_pairs

Prints milliseconds of one core, so that other work on the machine counts little. On a busy EPYC:
0.8 to 1.2 to read a pair of 200 x 160 pixels from its shard and 0.002 from memory; 3.4 to 3.9 and
2.3 to 2.5 with all that makes it a region of 224 pixels.
"""

import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch

from pipeline.core.program import set_up
from pipeline.finetune.augment import RegionSet
from pipeline.finetune.pair_set import DECODED_BUDGET, PairSet
from tests.clip import tiny

PAIRS, SIZE = 300, 224
HEIGHT, WIDTH = 200, 160


def milliseconds(do: Callable[[int], object]) -> float:
    """Of one core, for each of `do(0)`, `do(1)`, ..."""
    start = time.process_time()
    for number in range(PAIRS):
        do(number)
    return (time.process_time() - start) / PAIRS * 1e3


def large(colour: tuple[int, int, int], rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Crop and mask as `tests.clip.tiny.wedge` makes them, but large, and smooth as a photo."""
    ramp = np.linspace(0, 200, HEIGHT)[:, None, None] + rng.normal(0, 4, (HEIGHT, WIDTH, 3))
    crop = np.clip(ramp + np.array(colour) / 5, 0, 255).astype(np.uint8)
    return crop, np.add.outer(np.arange(HEIGHT), np.arange(WIDTH)) > 150


def main() -> None:
    torch.set_num_threads(1)
    tiny.wedge = large
    with tempfile.TemporaryDirectory() as folder:
        tiny.write_pairs(Path(folder), PAIRS)
        for budget in (0, DECODED_BUDGET):
            pairs = PairSet(folder, budget)
            kept = pairs.decode()
            regions = RegionSet(pairs, SIZE, torch.zeros(3), torch.ones(3), "mean", 0.9, seed=0)
            read = milliseconds(pairs.__getitem__)
            region = milliseconds(lambda i, regions=regions: regions[i, i])
            print(f"{kept} of {PAIRS} decoded ahead: read {read:.3f} ms, as region {region:.2f} ms")


if __name__ == "__main__":
    set_up()
    main()
