from pathlib import Path

from pipeline.data.root import data_root, read_root, too_deep, written_root


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


def test_no_folder_is_to_be_moved_among_files(tmp_path):
    """Label maps of other names (mmsegmentation's) were told to be moved among the pictures."""
    coco, name = tmp_path / "coco", "000000000001_labelTrainIds.png"
    for place in ("val2017", "stuffthingmaps/val2017", "stuffthingmaps/train2017/old"):
        (coco / place).mkdir(parents=True)
        (coco / place / name).write_bytes(b"")
    assert too_deep(tmp_path, "coco/val2017") == ""
    assert too_deep(tmp_path, "coco/stuffthingmaps/val2017") == ""
    assert too_deep(tmp_path, "coco/train2017") == ""  # stuffthingmaps/train2017 has no pictures
    assert too_deep(tmp_path, "coco/stuffthingmaps/train2017").endswith(
        "holds the folder old: move what is in it up to coco/stuffthingmaps/train2017"
    )


def test_pictures_one_folder_too_deep_are_found_beside_label_maps(tmp_path):
    for place in ("images/val2017", "stuffthingmaps/val2017"):
        (tmp_path / "coco" / place).mkdir(parents=True)
    moved = "; coco/images/val2017 is there: move it to coco/val2017"
    assert too_deep(tmp_path, "coco/val2017") == moved
