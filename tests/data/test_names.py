"""Names as people see them."""

import pytest

from pipeline.data.names import Hints, is_utf8, lookalikes, printable, visible


@pytest.mark.parametrize(
    "twin",
    ["a\u200b b.jpg", "a\u00a0b.jpg", "\ufeffa b.jpg", "a b\u00ad.jpg", "a\u2009b.jpg",
     "a\ufe0f b.jpg", "a b\u200e.jpg", "a b\u115f.jpg"],
)  # fmt: skip
def test_what_cannot_be_seen_makes_no_name(twin):
    assert visible(twin) == "a b.jpg"
    assert lookalikes([twin, "c.jpg", "a b.jpg"]) == [sorted([twin, "a b.jpg"])]


def test_accents_composed_or_not_look_the_same():
    assert lookalikes(["cafe\u0301.jpg", "caf\u00e9.jpg", "cafe.jpg"]) == [
        ["cafe\u0301.jpg", "caf\u00e9.jpg"]
    ]


def test_a_name_of_other_bytes_can_be_printed():
    name = b"caf\xe9.jpg".decode("utf-8", "surrogateescape")
    assert not is_utf8(name)
    assert printable(name) == "caf\\xe9.jpg"
    assert printable("caf\u00e9.jpg") == "caf\u00e9.jpg"


@pytest.mark.parametrize(
    "name",
    ["sub\\a b.jpg", "sub/a%20b.jpg", "images/sub/a b.jpg", "./sub/A B.JPG", "a b.jpg",
     "C:\\data\\images\\a b.jpg", "/home/me/other/a%20b.jpg", "sub/a\u00a0b.jpg", " a b.jpg ",
     "file:///home/me/a%20b.jpg"],
)  # fmt: skip
def test_the_file_that_may_be_meant(name):
    assert Hints(["sub/a b.jpg", "c.jpg"]).meant(name) == "sub/a b.jpg"


def test_no_hint_where_two_files_may_be_meant():
    hints = Hints(["1/a.jpg", "2/a.jpg", "b.jpg", "B.jpg"])
    assert hints.meant("a.jpg") is None
    assert hints.meant("2\\a.jpg") == "2/a.jpg"
    assert hints.meant("images/b.jpg") is None
    assert hints.meant("c.jpg") is None
