"""The lines that `ovseg check` prints about a kind of data."""

from collections import Counter

import pytest

from pipeline.core.records import Caption, ImageRecord, Reject
from pipeline.data.label_values import Occurrences
from pipeline.data.overview import (
    class_lines,
    counted,
    doubt_lines,
    fault_lines,
    faults,
    gap_line,
    object_lines,
    pictures_line,
    reasons_line,
)
from pipeline.data.sets import EvalImage

ONE = ImageRecord(1, "a.jpg", 8, 6, [Caption(1, "A dog."), Caption(2, "A cat.")], None)
OTHER = ImageRecord(2, "b.jpg", 4, 3, [], "b.png")


def reject(item: str, reason: str, detail: str = "") -> Reject:
    return Reject("dataset", item, reason, detail)


@pytest.mark.parametrize(
    ("records", "line"),
    [
        ([], "0 pictures"),
        ([ONE], "1 picture of 8 x 6 pixels, 2 captions of 1 picture, 0 label maps"),
        ([ONE, OTHER], "2 pictures of 4 x 3 to 8 x 6 pixels, 2 captions of 1 picture, 1 label map"),
        ([EvalImage("a", "a.jpg", "a.png", 8, 6)], "1 picture of 8 x 6 pixels"),
    ],
)
def test_pictures_and_their_sizes(records, line):
    assert pictures_line(records) == line


def test_classes_by_how_often_they_occur_and_those_that_do_not():
    found = Occurrences(maps=Counter({0: 1, 2: 1200}), pixels=Counter({0: 30, 2: 90}))
    assert class_lines(["cat", "dog", "sofa"], found) == [
        "  2 of 3 classes occur; label maps that hold them and share of labelled pixels: "
        "sofa 1,200 (75.0%),",
        "    cat 1 (25.0%)",
        "  in no label map: dog",
    ]
    assert class_lines([], found) == []


def test_a_class_list_of_which_nothing_occurs():
    found = Occurrences()
    assert [line.strip() for line in class_lines(["cat"], found)] == [
        "0 of 1 class occur; label maps that hold them and share of labelled pixels: none",
        "in no label map: cat",
    ]


def test_of_doubtful_names_the_first_three_are_shown():
    assert doubt_lines(["cat", "dog"]) == []
    [line] = doubt_lines(["cat", "1", "tree", "+", "22", "333"])
    assert line == "  look at: '1' (a number), '+' (a sign and no word), '22' (a number) and 1 more"


def test_objects_by_category_most_frequent_first():
    assert object_lines({"cat": 1, "dog": 1200}) == [
        "  instances: 1,201 usable objects: dog 1,200, cat 1"
    ]
    assert object_lines(Counter()) == ["  instances: 0 usable objects: none"]


def test_of_each_reason_the_first_faults_are_shown_and_the_others_counted():
    rejects = [reject(f"{i}.jpg", "cut", f"at {i}") for i in range(4)] + [reject("x", "odd")]
    assert fault_lines("root", rejects, max_faults=2) == [
        "root/0.jpg: cut; at 0", "root/1.jpg: cut; at 1", "root: cut: 2 more, 4 in all",
        "root/x: odd",
    ]  # fmt: skip


def test_what_a_download_lacks_is_a_gap_and_no_fault():
    missing = [reject("a", "no caption"), reject("b", "picture missing"), reject("c", "no caption")]
    cut = reject("d", "unreadable picture", "cut")
    assert faults([*missing, cut]) == [cut]
    assert gap_line([*missing, cut]) == "no caption: 2, picture missing: 1"
    assert gap_line([cut]) == ""


def test_why_nothing_is_left_by_the_three_most_frequent_reasons():
    rejects = [reject("a", "odd"), reject("b", "cut", "at 1"), reject("c", "cut", "at 2")]
    rejects += [reject("d", "late"), reject("e", "wide"), reject("f", "wide")]
    assert reasons_line(rejects) == (
        "cut: 2, such as b (at 1); wide: 2, such as e; odd: 1, such as a"
    )
    assert reasons_line([]) == "none is there"


def test_things_are_counted_in_english():
    assert [counted(n, "fault") for n in (0, 1, 2000)] == ["0 faults", "1 fault", "2,000 faults"]
    assert counted(3, "class") == "3 classes"
