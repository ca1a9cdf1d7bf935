import json

import pytest

from pipeline.data.sets import EvalImage, EvalSet, load_eval_set, save_eval_set


def make(root):
    image = EvalImage("2007_000032", "a.jpg", "a.png", 8, 6)
    return EvalSet("tiny", root, ["wall", "door, door frame"], [image], 255, {3: 0, 4: 1}, [0])


def test_round_trip(tmp_path):
    (tmp_path / "root").mkdir()
    written = make(tmp_path / "root")
    save_eval_set(tmp_path / "sets" / "tiny.json", written)
    assert load_eval_set(tmp_path / "sets" / "tiny.json") == written


def test_relative_root_moves_with_the_folder(tmp_path):
    save_eval_set(tmp_path / "here" / "sets" / "tiny.json", make(tmp_path), root="../coco")
    (tmp_path / "here" / "coco").mkdir()
    (tmp_path / "here").rename(tmp_path / "there")
    loaded = load_eval_set(tmp_path / "there" / "sets" / "tiny.json")
    assert loaded.root == tmp_path / "there" / "coco"


def test_labels_in_another_folder_are_found_by_joining_with_root(tmp_path):
    image = EvalImage("a", "a.jpg", "a.png", 8, 6)
    (tmp_path / "official").mkdir()
    written = EvalSet("x", tmp_path / "official", ["wall"], [image], label_root=tmp_path / "l")
    save_eval_set(tmp_path / "sets" / "x.json", written, label_root="../l")
    loaded = load_eval_set(tmp_path / "sets" / "x.json")
    assert loaded.root / loaded.images[0].path == tmp_path / "official" / "a.jpg"
    assert loaded.root / loaded.images[0].label_path == tmp_path / "l" / "a.png"


def test_pictures_that_are_gone_are_told_once(tmp_path, monkeypatch):
    path = tmp_path / "tiny.json"
    save_eval_set(path, make(tmp_path), root="$DETECTRON2_DATASETS/coco")
    monkeypatch.setenv("DETECTRON2_DATASETS", str(tmp_path / "absent"))
    with pytest.raises(FileNotFoundError, match="absent/coco: no such folder.*as it was for the"):
        load_eval_set(path)


def test_faults_name_the_file(tmp_path):
    path = tmp_path / "tiny.json"
    with pytest.raises(FileNotFoundError, match="no such evaluation set"):
        load_eval_set(path)
    path.write_text("{\n oops")
    with pytest.raises(ValueError, match="tiny.json:2: not JSON"):
        load_eval_set(path)
    save_eval_set(path, make(tmp_path))
    document = json.loads(path.read_text())
    document["extra"] = document.pop("seen")
    path.write_text(json.dumps(document))
    with pytest.raises(ValueError, match=r"missing keys \['seen'\], unknown keys \['extra'\]"):
        load_eval_set(path)
    document["seen"] = document.pop("extra")
    document["images"][0]["height"] = document["images"][0].pop("width")
    path.write_text(json.dumps(document))
    with pytest.raises(ValueError, match="not an evaluation set"):
        load_eval_set(path)
