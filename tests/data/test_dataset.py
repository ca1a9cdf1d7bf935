import json

import numpy as np
import pytest

from pipeline.core.records import Caption, ImageRecord
from pipeline.data.dataset import Dataset, read_dataset, read_split, write_dataset
from tests.data.folders import save_label


def test_round_trip_and_labels(tmp_path):
    save_label(tmp_path / "out" / "coco" / "1.png", np.array([[5, 9]], np.uint8))
    dataset = Dataset(
        "tiny", tmp_path / "out" / "coco", ["cat", "dog"], [True, False], 255, {5: 0, 6: 1}
    )
    record = ImageRecord(1, "1.jpg", 2, 1, [Caption(7, "A cat.")], "1.png")
    bare = ImageRecord(2, "2.jpg", 2, 1, [Caption(8, "A dog.")], None)
    write_dataset(tmp_path / "out", dataset, [record, bare], [], root="coco")
    (tmp_path / "out").rename(tmp_path / "moved")
    loaded = read_dataset(tmp_path / "moved")
    assert loaded.root == tmp_path / "moved" / "coco"
    assert (loaded.classes, loaded.seen) == (["cat", "dog"], [True, False])
    assert read_split(tmp_path / "moved", "train") == [record, bare]
    assert read_split(tmp_path / "moved", "val") == []
    assert loaded.read_label(record).tolist() == [[0, 255]]
    assert loaded.read_label(bare) is None


def test_pictures_that_are_gone_are_told_once(tmp_path, monkeypatch):
    dataset = Dataset("tiny", tmp_path, ["cat"], [True])
    write_dataset(tmp_path, dataset, [], [], root="$DETECTRON2_DATASETS/coco")
    monkeypatch.setenv("DETECTRON2_DATASETS", str(tmp_path / "absent"))
    with pytest.raises(FileNotFoundError, match="absent/coco: no such folder.*as it was for the"):
        read_dataset(tmp_path)


def test_faults_name_the_file(tmp_path):
    with pytest.raises(FileNotFoundError, match="dataset.json: no data set here"):
        read_dataset(tmp_path)
    write_dataset(tmp_path, Dataset("tiny", tmp_path, ["cat"], [True]), [], [])
    path = tmp_path / "dataset.json"
    whole = json.loads(path.read_text())
    for document, fault in [
        ({k: v for k, v in whole.items() if k != "classes"}, "'classes' is missing"),
        (whole | {"classes": [{"id": 1, "name": "cat", "seen": True}]}, "class ids are not 0, 1"),
        (whole | {"label_map": {"x": 1}}, "label_map.x.*valid integer"),
    ]:
        path.write_text(json.dumps(document))
        with pytest.raises(ValueError, match=fault):
            read_dataset(tmp_path)
    with pytest.raises(ValueError, match="split 'test'; there are train, val"):
        read_split(tmp_path, "test")
