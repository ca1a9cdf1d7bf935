"""Numbers, texts and lists as tools write them into COCO's files."""

import json

import pytest

from pipeline.core.errors import MissingFileError, UserError
from pipeline.data.coco_json import MAX_INT, crowd, numbers, other_id, read_document, shown, whole


@pytest.mark.parametrize(
    ("value", "number"),
    [
        (7, 7), ("7", 7), (7.0, 7), ("007", 7), (0, 0), (MAX_INT, MAX_INT), (str(MAX_INT), MAX_INT),
        (7.5, None), (-1, None), (MAX_INT + 1, None), (str(MAX_INT + 1), None), ("9" * 5000, None),
        (True, None), (None, None), ("", None), ("7.0", None), (" 7", None), ("\u0663", None),
        (float("nan"), None), (float("inf"), None), ([7], None),
    ],
)  # fmt: skip
def test_a_whole_number_however_it_is_written(value, number):
    assert whole(value) == number


def test_all_numbers_of_an_entry_or_none():
    assert numbers({"id": "3", "height": 6.0, "x": None}, "height", "id") == [6, 3]
    assert numbers({"id": 3, "x": None}, "id", "x") is None
    assert numbers({"id": 3}, "id", "width") is None
    assert numbers([3], "id") is None


@pytest.mark.parametrize(
    ("value", "expected"),
    [(None, False), (0, False), ("1", True), (True, True), (1.0, True), (2, None), ("yes", None)],
)
def test_a_crowd_is_told_by_0_and_1(value, expected):
    assert crowd({"iscrowd": value}) is expected
    assert crowd({}) is False


@pytest.mark.parametrize(
    ("name", "fault"),
    [
        ("000000000007.jpg", False), ("a.jpg", False), (None, False), ("\ud83d.jpg", False),
        ("train\\000000000007.jpg", False), ("000000000008.jpg", True), ("train/8.jpg", True),
    ],
)  # fmt: skip
def test_a_file_name_that_is_the_id_of_another_picture(name, fault):
    found = other_id({"file_name": name}, 7)
    assert (found is not None) == fault
    if found:
        assert found[0] == "file name of another id" and "has id 7" in found[1]


def test_an_entry_is_shown_short_and_can_be_written():
    assert shown({"a": "ü"}) == '{"a": "ü"}'
    assert len(shown("x" * 500)) == 120
    assert shown("\ud83d").encode() == b'"\\ud83d"'


def test_a_document_with_its_lists_is_read_and_any_other_is_named(tmp_path):
    path = tmp_path / "a.json"
    with pytest.raises(
        MissingFileError, match="a.json: no captions; expected x.zip unpacked there"
    ):
        read_document(path, "captions", ("images",), "x.zip")
    document = {"images": [], "info": 3}
    path.write_text("\ufeff" + json.dumps(document), encoding="utf-8")
    assert read_document(path, "captions", ("images",)) == document
    for keys in (("images", "annotations"), ("info",)):
        with pytest.raises(UserError, match='not COCO captions; expected .* with keys ".*a list$'):
            read_document(path, "captions", keys)
    path.write_text("{")
    with pytest.raises(UserError, match="a.json:1: not JSON.*; unpack it again, from http://x$"):
        read_document(path, "captions", ("images",), "x.zip", "http://x")
