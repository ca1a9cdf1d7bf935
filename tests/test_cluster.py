"""The Ray engine, on a Ray that is started here (extra `cluster`; skipped without it)."""

import importlib.util
import sys

import pytest

from pipeline.shards import run_shards
from tests.test_shards import contents, make_nouns, run

RAY = importlib.util.find_spec("ray") is not None
needs_ray = pytest.mark.skipif(not RAY, reason="Ray is not installed: pip install -e '.[cluster]'")


def broken(items, folder):
    raise ValueError(f"cannot do {items}")


@needs_ray
def test_tasks_on_a_cluster_make_the_same_bytes_and_resume(tmp_path, monkeypatch):
    monkeypatch.setenv("OVSEG_ENGINE", "ray")
    monkeypatch.setenv("OVSEG_WORKERS", "2")
    shards = run_shards(
        tmp_path / "ray", list(range(10)), 3, make_nouns, {"params": "a"}, "testing"
    )
    assert [shard.index for shard in shards] == [0, 1, 2, 3]
    (tmp_path / "ray" / "manifest" / "00002.json").unlink()
    again = run_shards(tmp_path / "ray", list(range(10)), 3, make_nouns, {"params": "a"}, "testing")
    assert [shard.kept for shard in again] == [True, True, False, True]
    with pytest.raises(ValueError, match=r"cannot do \[0, 1, 2\]"):
        run_shards(tmp_path / "broken", [0, 1, 2], 3, broken, {}, "testing")
    monkeypatch.setenv("OVSEG_ENGINE", "local")
    run(tmp_path / "local")
    assert contents(tmp_path / "ray") == contents(tmp_path / "local")


def test_without_ray_the_message_says_how_to_get_it(tmp_path, monkeypatch):
    monkeypatch.setenv("OVSEG_ENGINE", "ray")
    monkeypatch.setitem(sys.modules, "ray", None)
    with pytest.raises(ValueError, match=r"OVSEG_ENGINE=ray needs Ray.*\[cluster\]"):
        run_shards(tmp_path, [1], 1, make_nouns, {}, "testing")
