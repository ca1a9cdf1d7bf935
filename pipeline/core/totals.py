"""Sum the counts of a stage's shards and join their rejects: the stage's metrics."""

from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from pipeline.core.records import Reject, write_parquet
from pipeline.core.shards import ShardInfo, read_shards


def total_counts(shards: Sequence[ShardInfo]) -> dict[str, Any]:
    """Sum counts over shards; nested counts (by reason, say) are summed key by key."""
    total: dict[str, Any] = {}
    for shard in shards:
        _add(total, shard.counts)
    return total


def collect_rejects(shards: Path | str, target: Path | str) -> dict[str, int]:
    """Join `rejects-*.parquet` of a folder of shards into one file; counts by reason, sorted."""
    rejects = list(read_shards(shards, "rejects", Reject))
    write_parquet(target, rejects, Reject)
    return dict(sorted(Counter(reject.reason for reject in rejects).items()))


def _add(total: dict[str, Any], counts: dict[str, Any]) -> None:
    for key, value in counts.items():
        if isinstance(value, dict):
            _add(total.setdefault(key, {}), value)
        else:
            total[key] = total.get(key, 0) + value
