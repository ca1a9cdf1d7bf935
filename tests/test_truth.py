import numpy as np

from pipeline.data.dataset import read_split
from pipeline.truth import Truth
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
