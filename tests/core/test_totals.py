"""Counts of shards become the stage's, by reason too."""

from pipeline.core.records import Reject, read_parquet
from pipeline.core.shards import ShardInfo
from pipeline.core.totals import collect_rejects, total_counts
from tests.core.test_shards import run


def test_counts_are_summed_key_by_key():
    counts = [{"pairs": 2, "rejected": {"a": 1}}, {"rejected": {"a": 3, "b": 1}, "late": 5}]
    shards = [ShardInfo(index, (), count, False) for index, count in enumerate(counts)]
    assert total_counts(shards) == {"pairs": 2, "rejected": {"a": 4, "b": 1}, "late": 5}
    assert counts[0]["rejected"] == {"a": 1}  # the shards' own stay
    assert total_counts([]) == {}


def test_rejects_are_joined_and_counted_by_reason(tmp_path):
    run(tmp_path)
    assert collect_rejects(tmp_path, tmp_path / "deep" / "rejects.parquet") == {"odd": 5}
    rejects = read_parquet(tmp_path / "deep" / "rejects.parquet", Reject)
    assert [r.item for r in rejects] == ["1", "3", "5", "7", "9"]
