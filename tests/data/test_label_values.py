"""Label maps whose numbers mean something else, one by one and as a set."""

import numpy as np
import pytest

from pipeline.data.label_values import Occurrences, read_values, value_faults
from tests.data.folders import save_label

THREE = {0, 1, 2}


def faults(*maps, classes=THREE, unlabelled=frozenset({255})):
    found = {str(number): dict.fromkeys(values, 1) for number, values in enumerate(maps)}
    return {
        path: fault[0]
        for path, fault in value_faults(found, classes, unlabelled, "0..2 or 255").items()
    }


@pytest.mark.parametrize(
    "maps",
    [
        [{0, 1, 255}, {2}],
        [{0}, {1}],
        [{0}],  # the first class fills it
        [{1, 255}],
        [{0, 255}, {0, 2, 255}],
        [{255}],
        [set()],
        [],
    ],
)
def test_right_maps_have_no_fault(maps):
    assert faults(*maps) == {}


def test_maps_painted_as_masks_of_one_object_are_all_refused():
    assert faults({0, 255}, {255}, {0}) == dict.fromkeys("012", "label maps painted 0 and 255")
    assert faults({0, 255}, classes={0}) == {"0": "label maps painted 0 and 255"}


def test_maps_that_count_from_one_are_all_refused():
    """3 says so, also for the map that has none; with 0 as background and 255 as border too."""
    for maps in (({0, 1, 3}, {0, 1}), ({1, 3, 255}, {2, 255}), ({0, 3, 255}, {0, 1, 255})):
        assert faults(*maps) == dict.fromkeys("01", "label maps numbered otherwise")


def test_a_list_with_gaps_tells_nothing_by_one_value_more():
    assert faults({0, 3, 255}, {0, 2}, classes={0, 2}) == {"0": "unknown class in label map"}


def test_an_unknown_value_is_a_fault_of_its_map():
    for maps in (({0, 4, 255}, {0, 1}), ({1, 7, 255}, {1}), ({0, 200}, {0, 1}, {2})):
        assert faults(*maps) == {"0": "unknown class in label map"}
    assert faults({0, 151}, {0, 1}, classes={1, 2}, unlabelled={0}) == {
        "0": "unknown class in label map"
    }


def test_zero_may_be_no_class():
    """PASCAL VOC: 0 is background, 255 void."""
    assert faults({0, 255}, classes={1, 2}, unlabelled={0, 255}) == {}


def test_values_are_counted_and_what_cannot_be_read_is_named(tmp_path):
    label = np.array([[0, 0, 255], [2, 2, 2]], np.uint8)
    save_label(tmp_path / "a.png", label)
    save_label(tmp_path / "b.png", label.astype(np.uint16) * 300)
    (tmp_path / "c.png").write_bytes(b"cut")
    maps = ["a.png", "b.png", "c.png", "d.png"]
    values, unread = read_values(tmp_path, maps, "reading")
    assert values["a.png"] == {0: 2, 2: 3, 255: 1}
    assert 600 in values["b.png"]
    assert {path: fault[0] for path, fault in unread.items()} == {
        "c.png": "unreadable label map", "d.png": "unreadable label map"
    }  # fmt: skip
    occurrences = Occurrences()
    occurrences.add(values["a.png"], {0: 0, 2: 2})
    occurrences.add({1: 5, 9: 1}, {1: 0})
    assert occurrences.maps == {0: 2, 2: 1}
    assert occurrences.pixels == {0: 7, 2: 3}


def test_several_maps_without_any_label_are_refused():
    assert faults({255}, {255}) == dict.fromkeys("01", "label maps without a label")
