"""The Ray engine, on a Ray that is started here (extra `cluster`; skipped without it)."""

import importlib.util
import sys

import pytest

from tests.core.test_shards import contents, run

RAY = importlib.util.find_spec("ray") is not None
needs_ray = pytest.mark.skipif(not RAY, reason="Ray is not installed: pip install -e '.[cluster]'")


def broken(items, folder):
    raise ValueError(f"cannot do {items}")


@needs_ray
def test_tasks_on_a_cluster_make_the_same_bytes_and_resume(tmp_path, monkeypatch):
    monkeypatch.setenv("OVSEG_ENGINE", "ray")
    monkeypatch.setenv("OVSEG_WORKERS", "2")
    shards = run(tmp_path / "ray")
    assert [shard.index for shard in shards] == [0, 1, 2, 3]
    (tmp_path / "ray" / "manifest" / "00002.json").unlink()
    again = run(tmp_path / "ray")
    assert [shard.kept for shard in again] == [True, True, False, True]
    with pytest.raises(ValueError, match=r"cannot do \[0, 1, 2\]"):
        run(tmp_path / "broken", items=[0, 1, 2], make=broken)
    monkeypatch.setenv("OVSEG_ENGINE", "local")
    run(tmp_path / "local")
    assert contents(tmp_path / "ray") == contents(tmp_path / "local")


def test_without_ray_the_message_says_how_to_get_it(tmp_path, monkeypatch):
    monkeypatch.setenv("OVSEG_ENGINE", "ray")
    monkeypatch.setitem(sys.modules, "ray", None)
    with pytest.raises(ValueError, match=r"OVSEG_ENGINE=ray needs Ray.*\[cluster\]"):
        run(tmp_path, items=[1])
