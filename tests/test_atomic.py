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
