"""Class lists in other formats than one name a line are refused, saying what to write."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.data.class_list import line_faults, text_fault
from pipeline.data.classes import load_class_list
from pipeline.data.own_text import read_classes
from pipeline.errors import UserError
from pipeline.ovseg.inputs import as_names
from pipeline.world.vocabulary import NOUNS


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("0: background\n1: cat\n", "classes.txt:2: '1: cat' has a number, .*; write 'cat'$"),
        ("0\tcat\n1\tdog", "classes.txt:1: '0.tcat' has a number, .*; write 'cat'"),
        ("0,cat\n1,dog", "'1,dog' has a number, .*; write 'dog'$"),
        ("id,name\n0,cat\n1,dog", "classes.txt:2: '0,cat' has a number"),
        ("1. cat\n2. dog", "'1. cat' has a number, .*; write 'cat'"),
        ("1) cat\n2) dog", "'1[)] cat' has a number, .*; write 'cat'"),
        ("001.Black_footed\n002.Laysan", "write 'Black_footed'"),
        ("0 cat\n1 dog\n2 hot dog", "'2 hot dog' has a number, .*; write 'hot dog'"),
        ("0 cat\n2 dog", "classes.txt:2: '2 dog' has a number, .*; write 'dog'"),
        ("cat 1\ndog 3\ntree 7", "classes.txt:3: 'tree 7' has a number, .*; write 'tree'"),
        ('["cat, dog","tree"]', "txt:1: the file is JSON; write one class name a line"),
        ("1 - cat\n2 - dog", "'1 - cat' has a number, .*; write 'cat'"),
        ("cat 0\ndog 1", "'dog 1' has a number, .*; write 'dog'"),
        ("cat: 1\ndog: 2", "'dog: 2' has a number, .*; write 'dog'"),
        ("cat,dog,tree", "classes.txt:1: .* holds several names; write one a line: cat, dog, tree"),
        ("cat; dog", "holds several names; write one a line: cat, dog"),
        ("cat\tdog", "holds several names; write one a line: cat, dog"),
        ("cat,\ndog,", "classes.txt:1: 'cat,' ends with ','; write 'cat'"),
        ('["cat", "dog"]', "txt:1: the file is JSON; write one class name a line: cat, dog"),
        ('{\n "0": "cat",\n "1": "dog"\n}', "the file is JSON; .*: cat, dog"),
        ('{"cat": 0, "dog": 1}', "the file is JSON; .*: cat, dog"),
        ('{"id": 0, "name": "cat"}\n{"id": 1, "name": "dog"}', "classes.txt:2: .* is a list"),
        ("['cat', 'dog']", "is a list; write one class name a line"),
        ("nc: 2\nnames: [cat, dog]", "classes.txt:2: 'names: .*' is a list"),
        ("'cat'\n'dog'", "is in quotes; write 'dog'"),
        ("- cat\n- dog", "has a bullet; write 'dog'"),
        ("# my classes\ncat", "classes.txt:1: .* is a comment"),
        ("cat\ndo\u200bg", "classes.txt:2: .* cannot be seen .U.200B."),
        ("cat\rdog\nsofa", "cannot be seen .U.000D."),
        ("cat\r1\rdog\r,dog,\r", "classes.txt:4: ',dog,' ends with"),
    ],
)  # fmt: skip
def test_what_is_no_list_of_names_is_refused_by_line(tmp_path, text, fault):
    (tmp_path / "classes.txt").write_text(text, newline="")
    with pytest.raises(UserError, match=rf"(?ms){fault}"):
        read_classes(tmp_path / "classes.txt")


def test_a_long_list_of_faults_is_cut_short(tmp_path):
    (tmp_path / "classes.txt").write_text("\n".join(f"{i}: thing" + "x" * i for i in range(80)))
    with pytest.raises(UserError) as refused:
        read_classes(tmp_path / "classes.txt")
    lines = str(refused.value).splitlines()
    assert len(lines) == 11 and lines[-1].endswith("and 70 more lines are wrong")


@pytest.mark.parametrize(
    "lines",
    [
        ["cat", "16:9 screen", "wall, building", "3 wheeler", "route 66"],
        ["2 door car", "4 door car"], ["route 1", "route 66"],
        ["[bold]", "apple[/i]", "x (y)", "o'clock", "tree-merged", "café", "👨\u200d👩\u200d👧"],
        ["3 wheeler"], ["1", "2"], ["cat"], ["traffic light"], [""], [],
    ],
)  # fmt: skip
def test_names_are_left_alone(lines):
    assert line_faults(lines) == {}
    assert text_fault(", ".join(lines)) is None


@pytest.mark.parametrize("name", ["ade150", "ade847", "cocostuff", "context459", "voc20"])
def test_the_lists_of_the_benchmarks_are_plain_lists(name):
    assert line_faults(load_class_list(name).names) == {}


def test_the_nouns_of_the_world_are_a_plain_list():
    assert line_faults(list(NOUNS)) == {} and text_fault(", ".join(NOUNS)) is None


@given(st.binary(max_size=60) | st.text(max_size=40).map(str.encode))
def test_any_bytes_are_names_or_refused_in_words(tmp_path_factory, content):
    path = tmp_path_factory.mktemp("own") / "classes.txt"
    path.write_bytes(content)
    try:
        names = read_classes(path)
    except UserError as error:
        assert str(error).startswith(str(path))
    else:
        end = "\n" if b"\n" in content.strip() else "\r"
        lines = content.decode("utf-8-sig").split(end)[: len(names)]
        assert names == [line.strip() for line in lines]
        assert len(set(names)) == len(names) and all(names)


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ('["cat", "dog"]', "is JSON; write the names alone, with commas between: cat, dog"),
        ('{"0": "cat"}', "is JSON; .*: cat"),
        ('["cat, dog","tree"]', "is JSON"),
        ("['cat, dog','tree']", "is a list"),
        ('names: ["cat, dog", "tree"]', "is a list"),
        ('"cat, dog","tree"', "in quotes"),
        ("[cat, dog]", "is a list in brackets; .*: cat, dog"),
        ("1: cat, 2: dog", "is numbered; .*: cat, dog"),
        ("cat\ndog\n", "has line breaks; .*: cat, dog"),
    ],
)
def test_a_text_that_is_another_list_is_refused(text, fault):
    with pytest.raises(UserError, match=f"class names: .* {fault}"):
        as_names(text)
