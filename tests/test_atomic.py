import pytest

from pipeline import atomic


def test_a_finished_file_replaces_the_old_one(tmp_path):
    path = tmp_path / "deep" / "file.txt"
    atomic.write_text(path, "old")
    atomic.write_text(path, "neu ü")
    assert path.read_text(encoding="utf-8") == "neu ü"
    assert [p.name for p in path.parent.iterdir()] == ["file.txt"]


def test_a_failure_leaves_the_old_file_and_nothing_else(tmp_path):
    path = tmp_path / "file.txt"
    path.write_text("old")
    with pytest.raises(RuntimeError), atomic.replacing(path) as temporary:
        temporary.write_text("half")
        raise RuntimeError
    assert path.read_text() == "old"
    assert [p.name for p in tmp_path.iterdir()] == ["file.txt"]


def test_what_a_killed_process_left_is_removed(tmp_path):
    """Else it would lie among the outputs, and DVC would count it as one of them."""
    for name in (".a.txt.123.tmp", ".b.txt.123.tmp", ".gitignore", "c.tmp"):
        (tmp_path / name).write_text("half")
    atomic.write_text(tmp_path / "a.txt", "whole")
    left = {path.name for path in tmp_path.iterdir()}
    assert left == {"a.txt", ".b.txt.123.tmp", ".gitignore", "c.tmp"}
    atomic.sweep(tmp_path)
    assert {path.name for path in tmp_path.iterdir()} == {"a.txt", ".gitignore", "c.tmp"}
