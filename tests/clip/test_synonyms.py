import pytest

from pipeline.clip.synonyms import read_name, synonyms


@pytest.mark.parametrize(
    "name, expected",
    [
        ("door, door frame", ["door", "door frame"]),
        ("sky", ["sky"]),
        ("table , ", ["table"]),
        ("", []),
    ],
)
def test_synonyms(name, expected):
    assert synonyms(name) == expected


def test_names_are_read_as_they_stand_averaged_or_by_the_first():
    assert read_name("door, door frame", "joined") == ["door, door frame"]
    assert read_name("door, door frame", "averaged") == ["door", "door frame"]
    assert read_name("door, door frame", "first") == ["door"]
    assert read_name(", ", "averaged") == read_name(", ", "first") == [", "]
