from pathlib import Path

from pipeline.data.root import data_root, read_root, written_root


def test_configured_root_wins_over_the_variable(monkeypatch, tmp_path):
    monkeypatch.setenv("DETECTRON2_DATASETS", "/elsewhere")
    assert data_root(tmp_path) == tmp_path
    assert data_root() == Path("/elsewhere")
    monkeypatch.delenv("DETECTRON2_DATASETS")
    assert data_root() == Path("datasets").resolve()


def test_what_is_written_by_variable_moves_with_it(monkeypatch, tmp_path):
    assert written_root(None, "coco") == "$DETECTRON2_DATASETS/coco"
    for machine in ("/first", "/second"):
        monkeypatch.setenv("DETECTRON2_DATASETS", machine)
        assert read_root(written_root(None, "coco"), tmp_path) == Path(machine, "coco")
        assert read_root(written_root(None), tmp_path) == Path(machine)
    assert read_root(written_root("/data", "coco"), tmp_path) == Path("/data/coco")
    assert read_root("coco", tmp_path) == tmp_path / "coco"
