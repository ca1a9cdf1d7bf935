"""The record of the trained classes, and records that are none."""

import pytest
import torch

from pipeline.core.errors import UserError
from pipeline.maskformer.trained_classes import TrainedClasses, read_classes


def test_a_record_comes_back():
    classes = TrainedClasses(("cat", "Straße"), torch.tensor([[1.0, 0.0], [0.0, 1.0]]))
    again = read_classes(classes.to_record(), 2, "a file")
    assert again.names == classes.names
    assert torch.equal(again.text_features, classes.text_features)
    none = read_classes({"names": [], "text_features": torch.zeros(0, 2)}, 2, "a file")
    assert none.names == () and none.text_features.shape == (0, 2)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"names": "cat"}, "names of the trained classes are no list of texts"),
        ({"names": [1, 2]}, "names of the trained classes are no list of texts"),
        ({"names": ["cat"]}, r"are \(2, 3\), expected \(1, 3\)"),
        ({"text_features": torch.ones(2, 4)}, r"are \(2, 4\), expected \(2, 3\)"),
        ({"text_features": [[1.0]]}, r"are none, expected \(2, 3\)"),
    ],
)
def test_a_record_that_is_none_is_named(change, words):
    record = {"names": ["cat", "dog"], "text_features": torch.ones(2, 3)} | change
    with pytest.raises(UserError, match=f"a file: .*{words}"):
        read_classes(record, 3, "a file")
