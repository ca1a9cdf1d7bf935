from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest

from pipeline.core import fingerprint
from pipeline.core.errors import MissingFileError
from pipeline.core.fingerprint import code_of


@dataclass(frozen=True)
class Point:
    x: int
    y: int


@dataclass(frozen=True)
class Spot:
    x: int
    y: int


def test_equal_values_have_equal_hashes():
    value = {"b": [1, 2.5, None, True, "é", b"\0", Path("a/b")], "a": Point(1, 2)}
    same = {"a": Point(1, 2), "b": (1, 2.5, None, True, "é", b"\0", "a/b")}
    assert fingerprint.of_value(value) == fingerprint.of_value(same)


def test_different_values_differ():
    values = [1, 1.0, "1", True, None, "", [], {}, [[]], [1], [[1]], ["1", "2"], ["12"], b"1",
              {"a": 1}, {"a": None}, ["a", 1], Point(1, 2), Point(2, 1), Spot(1, 2)]  # fmt: skip
    assert len({fingerprint.of_value(value) for value in values}) == len(values)


def test_a_value_whose_text_may_be_cut_short_is_refused():
    with pytest.raises(TypeError, match="ndarray"):
        fingerprint.of_value([np.zeros(3)])


def test_files_count_by_name_and_bytes(tmp_path):
    (tmp_path / "sub").mkdir()
    (tmp_path / "a.py").write_text("1")
    (tmp_path / "sub" / "b.txt").write_text("2")
    first = fingerprint.of_files([tmp_path])
    python = fingerprint.of_files([tmp_path], "*.py")
    assert first == fingerprint.of_files([tmp_path])
    (tmp_path / "sub" / "b.txt").write_text("3")
    assert first != fingerprint.of_files([tmp_path])
    assert python == fingerprint.of_files([tmp_path], "*.py")
    (tmp_path / "a.py").rename(tmp_path / "c.py")
    assert python != fingerprint.of_files([tmp_path], "*.py")


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(FileNotFoundError, match="absent"):
        fingerprint.of_files([tmp_path / "absent"])


def test_many_files_count_by_name_and_bytes(tmp_path):
    (tmp_path / "a.jpg").write_text("12")
    both = fingerprint.of_contents(tmp_path, ["a.jpg", None, "b.jpg"])
    assert both == fingerprint.of_contents(tmp_path, ["a.jpg", "b.jpg"])
    (tmp_path / "b.jpg").write_text("")
    assert both != fingerprint.of_contents(tmp_path, ["a.jpg", "b.jpg"])
    (tmp_path / "b.jpg").unlink()
    (tmp_path / "a.jpg").write_text("21")  # as many bytes
    assert both != fingerprint.of_contents(tmp_path, ["a.jpg", "b.jpg"])


def test_a_model_is_its_files_whatever_lies_beside_them(tmp_path):
    with pytest.raises(MissingFileError, match="no model there"):
        fingerprint.of_models(tmp_path)
    for name in ("clip.json", "clip.safetensors"):
        (tmp_path / name).write_text(name)
    first = fingerprint.of_models(tmp_path)
    (tmp_path / "curves.tsv").write_text("1")
    assert fingerprint.of_models(tmp_path) == first
    (tmp_path / "prompts.safetensors").write_text("1")
    assert fingerprint.of_models(tmp_path) != first


def test_code_is_a_file_and_all_it_builds_on():
    root = fingerprint.ROOT / "pipeline"
    found = {path.relative_to(root).as_posix() for path in code_of(root / "pairs/collect.py")}
    assert {"pairs/collect.py", "pairs/make.py", "data/truth.py", "data/images.py"} <= found
    assert {"core/records.py", "core/precision.py", "__init__.py"} <= found
    assert not found & {"core/shards.py", "core/processes/runtime.py", "core/progress.py"}
    assert "segmenter/train.py" not in found
    assert fingerprint.of_code(root / "data/rle.py") != fingerprint.of_code(root / "data/truth.py")


def test_word_lists_are_code_and_shipped_weights_are_not():
    root = fingerprint.ROOT / "pipeline"
    hashes = fingerprint.code_hashes(code_of(root / "nouns/collect.py"))
    assert "pipeline/nouns/lexicon/stop_list.txt" in hashes
    every = fingerprint.code_hashes(code_of(*(root.parent / "stages").glob("*.py")))
    assert not [name for name in every if "miniature" in name]
    assert "pipeline/data/classes/ade150.tsv" in every


@pytest.mark.parametrize(
    ("text", "same"),
    (
        ('"""Other."""\n\n\ndef f(x):  # why\n    """Else."""\n    return (x + 1)\n', True),
        ('"""Doc."""\ndef f(x):\n    return x + 1\n', True),
        ('"""Doc."""\ndef f(x):\n    return x + 2\n', False),
        ('"""Doc."""\ndef f(x):\n    """Doc."""\n    return x + 1\nf(2)\n', False),
        ('"""Doc."""\nNAME = "Doc."\ndef f(x):\n    return x + 1\n', False),
    ),
)
def test_comments_docstrings_and_layout_do_not_count(tmp_path, text, same):
    first, second = tmp_path / "a.py", tmp_path / "b.py"
    first.write_text('"""Doc."""\n\ndef f(x):\n    """Doc."""\n    return x + 1\n')
    second.write_text(text)
    assert (fingerprint._of_source(first) == fingerprint._of_source(second)) == same


def test_releases_are_those_installed_whatever_the_machine(monkeypatch):
    fingerprint._release.cache_clear()
    try:
        monkeypatch.setattr("importlib.metadata.version", lambda name: f"{len(name)}.0+cu130")
        file = fingerprint.ROOT / "pipeline/data/rle.py"
        assert fingerprint.libraries([file]) == {"numpy": "5.0", "pycocotools": "11.0"}
    finally:
        fingerprint._release.cache_clear()
