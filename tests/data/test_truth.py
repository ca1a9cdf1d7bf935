import numpy as np
import pytest
from PIL import Image

from pipeline.data.dataset import read_split
from pipeline.data.truth import Truth, closed_of, read_truth
from tests.toy import make_toy, shapes


def test_closed_classes_come_from_the_label_map_and_the_rest_from_the_objects(tmp_path):
    dataset = make_toy(tmp_path)
    truth = Truth(dataset, "train")
    record = read_split(tmp_path, "train")[1]
    assert truth.groups == {
        "red square": "closed", "grass": "closed", "disc": "never_labelled"
    }  # fmt: skip
    true = shapes(2)
    assert list(truth.of(record)) == ["red square", "grass", "disc"]
    for name, mask in truth.of(record).items():
        assert np.array_equal(mask, true[name]), name
    assert list(truth.regions(record)) == ["red square", "grass"]


def test_without_objects_only_the_closed_set_is_known(tmp_path):
    dataset = make_toy(tmp_path)
    truth = Truth(dataset, "val")
    record = read_split(tmp_path, "train")[0]
    assert set(truth.groups) == {"red square", "grass"}
    assert list(truth.of(record)) == ["red square", "grass"]


def test_without_a_label_map_nothing_is_known(tmp_path):
    dataset = make_toy(tmp_path)
    record = read_split(tmp_path, "train")[0]
    bare = type(record)(**{**vars(record), "label_path": None})
    assert Truth(dataset, "train").of(bare) is None
    assert Truth(dataset, "train").regions(bare) is None


def test_the_closed_set_alone(tmp_path):
    truth = Truth(make_toy(tmp_path), "train")
    record = read_split(tmp_path, "train")[0]
    assert list(closed_of(truth.of(record), truth.groups)) == ["red square", "grass"]


def test_a_label_map_that_cannot_be_used_is_a_reject_not_the_end(tmp_path):
    dataset = make_toy(tmp_path)
    truth = Truth(dataset, "train")
    first, second, third, *_ = read_split(tmp_path, "train")
    (dataset.root / first.label_path).write_bytes(b"cut")
    (dataset.root / second.label_path).unlink()
    Image.fromarray(np.zeros((3, 4), np.uint8)).save(dataset.root / third.label_path)
    rejects = []
    for record in (first, second, third):
        assert read_truth(truth, record, "pairs", rejects) is None
    assert [reject.item for reject in rejects] == ["1_label.png", "2_label.png", "3_label.png"]
    assert {reject.reason for reject in rejects} == {"unusable label map"}
    with pytest.raises(ValueError, match=r"3_label.png: label map of \(3, 4\) pixels"):
        truth.of(third)
