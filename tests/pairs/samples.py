"""Stored pairs as WebDataset itself reads them, for comparison with our own reader."""

from pathlib import Path

import webdataset as wds

from pipeline.core.shards import shard_files


def samples(folder: Path) -> list[dict]:
    """Every pair: "__key__", and the bytes of "png" or "jpg", "mask.png", "txt" and "json"."""
    shards = [str(path) for path in shard_files(folder, "pairs", "tar")]
    if not shards:
        return []
    return list(wds.WebDataset(shards, shardshuffle=False, empty_check=False))
