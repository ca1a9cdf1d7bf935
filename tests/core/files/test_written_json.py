"""JSON that stages wrote: what is wrong with it is named with file and line."""

import pytest
from pydantic import BaseModel

from pipeline.core.errors import UserError
from pipeline.core.files.written_json import Text, checked, read_json


class Spot(BaseModel):
    name: Text
    x: int


class Spots(BaseModel):
    spots: list[Spot]


def test_what_was_written_is_read(tmp_path):
    path = tmp_path / "a.json"
    path.write_text('\ufeff{"spots": [{"name": "ü", "x": 1}]}', encoding="utf-8")
    document = read_json(path, "some spots")
    assert checked(Spots, document, path, "some spots") == Spots(spots=[Spot(name="ü", x=1)])


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b'{"a": 1,\n\n}', "a.json:3: not JSON .*, expected some spots"),
        (b'{"a": 1, "b": {"c": 2, "c": 3}}', "the key 'c' is there twice in one object"),
        (b"\xff", "a.json:1: not UTF-8: byte 1 of the line"),
        (b"9" * 5000, "a.json: not JSON .*, expected some spots"),
        (b"[" * 100_000, "a.json: not JSON .*, expected some spots"),
    ],
    ids=["comma", "twice", "no UTF-8", "digits", "nested"],
)
def test_what_is_no_json_is_named(tmp_path, content, words):
    (tmp_path / "a.json").write_bytes(content)
    with pytest.raises(UserError, match=words):
        read_json(tmp_path / "a.json", "some spots")


def test_wrong_entries_are_named_and_the_first_three_shown(tmp_path):
    path = tmp_path / "a.json"
    with pytest.raises(UserError, match=r"a.json: not some spots \(key 'spots' is missing\)"):
        checked(Spots, {}, path, "some spots")
    wrong = [{"name": "a\0", "x": 1}, {"name": "\ud800", "x": 1}, {"name": "a"}, 3]
    with pytest.raises(UserError) as caught:
        checked(Spots, {"spots": wrong}, path, "some spots")
    said = str(caught.value)
    assert "spots.0.name: " in said and "spots.1.name: " in said
    assert "key 'x' is missing in spots.2" in said and said.endswith(" and 1 more)")
