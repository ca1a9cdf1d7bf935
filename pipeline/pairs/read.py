"""Pairs back from their shards, as a stream: the WebDataset way, for any reader of such shards.

(Fine-tuning needs every pair at a known place and reads them by pipeline/clip/pair_set.py.)
"""

import io
import json
import random
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import webdataset as wds
from PIL import Image

from pipeline.errors import UserError
from pipeline.shards import shard_files

SHUFFLED_TOGETHER = 1000
"""Pairs among which the order is random, beside that of the shards."""


@dataclass(frozen=True)
class StoredPair:
    """key: unique over all shards; crop: uint8 (h, w, 3) RGB, with its background; mask: bool
    (h, w); noun: its category; about: the json member, see `pipeline.pairs.write`."""

    key: str
    crop: np.ndarray
    mask: np.ndarray
    noun: str
    about: dict[str, Any]


def read_pairs(
    folder: Path | str, seed: int | None = None, rank: int = 0, world_size: int = 1
) -> Iterator[StoredPair]:
    """The pairs in the shards of a folder, one after another.

    seed: shuffles shards and pairs, the same way every time; None keeps their order. Of
    `world_size` readers, each takes the shards of its `rank`: every pair comes once in all.
    """
    if not 0 <= rank < world_size:
        raise UserError(f"rank = {rank}: expected 0 to world_size - 1 = {world_size - 1}")
    shards = [str(path) for path in shard_files(folder, "pairs", "tar")]
    if seed is not None:
        random.Random(seed).shuffle(shards)
    mine = shards[rank::world_size]
    if not mine:
        return
    samples = wds.WebDataset(mine, shardshuffle=False, nodesplitter=None, empty_check=False)
    if seed is not None:
        order = random.Random(f"{seed}/{rank}")
        samples = samples.shuffle(SHUFFLED_TOGETHER, initial=SHUFFLED_TOGETHER, rng=order)
    for sample in samples:
        yield StoredPair(
            key=sample["__key__"],
            crop=_pixels(sample["png" if "png" in sample else "jpg"], "RGB"),
            mask=_pixels(sample["mask.png"], "L") > 0,
            noun=sample["txt"].decode(),
            about=json.loads(sample["json"]),
        )


def _pixels(png: bytes, mode: str) -> np.ndarray:
    with Image.open(io.BytesIO(png)) as picture:
        return np.array(picture.convert(mode))
