"""Class lists in other formats than one name a line are refused, saying what to write."""

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.core.errors import UserError
from pipeline.data.class_list import line_faults, text_fault
from pipeline.data.classes import FOLDER, load_class_list
from pipeline.data.own_text import read_classes
from pipeline.ovseg.inputs import as_names
from pipeline.world.vocabulary import NOUNS
from tests.data.folders import samples


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
        ("[0] cat\n[1] dog", "'.1. dog' has a number, .*; write 'dog'"),
        ("(0) cat\n(1) dog", "write 'dog'"),
        ("0_cat\n1_dog", "'0_cat' has a number, .*; write 'cat'"),
        ("0/cat\n1/dog", "write 'cat'"),
        ("0 -> cat\n1 -> dog", "'0 -> cat' has a number, .*; write 'cat'"),
        ("0=>cat\n1=>dog", "write 'cat'"),
        ("cat -> 0\ndog -> 1", "write 'cat'"),
        ("1.1. cat\n1.2. dog", "write 'cat'"),
        ("a) cat\nb) dog", "'a[)] cat' has a number, .*; write 'cat'"),
        ("i) cat\nii) dog", "write 'dog'"),
        ("a. cat\nb. dog", "write 'dog'"),
        ("\u2460 cat\n\u2461 dog", "write 'dog'"),
        ("#1 cat\n#2 dog", "'#1 cat' has a number, .*; write 'cat'"),
        ("class 0: cat\nclass 1: dog", "write 'cat'"),
        ("id: 0, name: cat\nid: 1, name: dog", "write 'cat'"),
        ("cat (0)\ndog (1)", "write 'cat'"),
        ("cat_0\ndog_1", "write 'cat'"),
        ("cat = 0,\ndog = 1,", "write 'cat'"),
        ("17 cat\n18 dog\n19 horse", "write 'cat'"),
        ("2978 wall\n312 house\n2420 sky\n976 floor\n2855 tree", "write 'house'"),
        ("128 64 128 road\n70 130 180 sky", "write 'sky'"),
        ("road,128,64,128\nsky,70,130,180", "write 'road'"),
        ("1\t0.15\t11664\twall\n2\t0.10\t6046\tsky, air", "write 'sky, air'"),
        ("n02084071 dog\ntree", "txt:1: .* has the id 'n02084071', which is no word; write 'dog'"),
        ("dog (n02084071)\ntree", "has the id 'n02084071'.*; write 'dog'"),
        ("tree\nn02084071", "classes.txt:2: .* has the id .*; write the name that it stands for"),
        ("dog.n.01\ntree", "has the id .*; write 'dog'"),
        ("/m/0bt9lr,Dog", "has the id '/m/0bt9lr'.*; write 'Dog'"),
        ("cat|dog\ntree", "write one a line: cat, dog; or, if all name one class, 'cat, dog'"),
        ("person;someone\ntree", "if all name one class, 'person, someone'"),
        ("| id | name |\n|--|--|\n| 0 | cat |", "txt:3: .* is a line of a table; write 'cat'"),
        ("cat\n---\ndog", "classes.txt:2: '---' is made of signs and no name; remove it"),
        ("**cat**\ndog", "is markup; write 'cat'"),
        ("`cat`\ndog", "is markup; write 'cat'"),
        ("<b>cat</b>\n<i>dog</i>", "txt:1: '<b>cat</b>' is markup; write 'cat'"),
        ("(a) cat\n[b] dog", "txt:2: '.b. dog' has a number, .*; write 'dog'"),
        ("<ul>\n<li>cat</li>", "classes.txt:2: '<li>cat</li>' is markup; write 'cat'"),
        ("1. [cat](cat.html)\n2. [dog](dog.html)", "write 'cat'"),
        ("* cat\n+ dog", "'[+] dog' has a bullet; write 'dog'"),
        ("- [ ] cat\n- [x] dog", "has a bullet; write 'dog'"),
        ("- name: cat\n- name: dog", "write 'dog'"),
        ("// classes\ncat", "classes.txt:1: .* is a comment"),
        ("/* classes */\ncat", "classes.txt:1: .* is a comment"),
        ("-- classes\ncat", "classes.txt:1: .* is a comment"),
        ("cat # my pet\ndog", "has a comment behind it; write 'cat'"),
        ("\u201ccat\u201d\ndog", "is in quotes; write 'cat'"),
        ("salt &amp; pepper\ncat", "holds a code of HTML; write 'salt & pepper'"),
        ("0\n1\n2", "classes.txt:3: '2' is a number and no name; write the class as a word"),
        ("cat\n12", "classes.txt:2: '12' is a number and no name"),
        ("Cat\ndog\ncat", "classes.txt:3: 'cat' reads like 'Cat', name 1: .*; keep one"),
        ("\ufb01sh\nfish", "classes.txt:2: 'fish' reads like '.ufb01sh', name 1"),
        ("\uff43\uff41\uff54\ncat", "classes.txt:2: 'cat' reads like"),
        ("hot  dog\nhot dog", "classes.txt:2: 'hot dog' reads like 'hot  dog'"),
        ("names:\n- cat", "classes.txt:1: 'names:' ends with ':'"),
        ('[{"id": 0, "name": "cat"}, {"id": 1, "name": "dog"}]', "is JSON; .*: cat, dog"),
        ('{"categories": [{"id": 0, "name": "cat"}]}', "is JSON; .* a line: cat$"),
        ('{"nc": 1, "names": ["cat"]}', "is JSON; .* a line: cat$"),
        ("cat\rdog\nsofa", "cannot be seen .U.000D."),
        ("cat\r1\rdog\r,dog,\r", "classes.txt:4: ',dog,' ends with"),
    ],
)  # fmt: skip
def test_what_is_no_list_of_names_is_refused_at_every_door(tmp_path, text, fault):
    (tmp_path / "classes.txt").write_text(text, newline="")
    with pytest.raises(UserError, match=rf"(?ms){fault}"):
        read_classes(tmp_path / "classes.txt")
    lines = text.split("\n")
    if text.startswith("cat,"):  # with commas, these are names
        return
    for names in (", ".join(line.rstrip(",") for line in lines), lines):
        with pytest.raises(UserError, match="^class names: "):  # --classes, web page, Python
            as_names(names)


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
        ["t-shirt", "7up", "4x4", "3d printer", "1st floor sign", "2% milk", "7-Eleven", "R&D lab"],
        ["aerosol_can", "bow_(decorative_ribbons)", "Christmas_tree", "flip-flop_(sandal)"],
        ["wall-other-merged", "tv/monitor", "door, door frame", "__background__", "_ignore_"],
        ["T. rex", "E. coli", "A.C. unit", "C#", "x-ray", "St. Bernard", "$ sign", "name tag"],
        ["1 euro coin", "2 euro coin", "2 euro note"], ["boeing 737", "boeing 747"],
        ["1st floor", "2nd floor", "3rd floor"], ["class 1 truck", "class 2 truck"],
        ["\u2615", "\u2764\ufe0f", "\u732b", "\u0441\u043e\u043d"], ["polish", "nail polish"],
        ["3 wheeler"], ["16:9 screen"], ["cat"], ["traffic light"], [""], [],
    ],
)  # fmt: skip
def test_names_are_left_alone(lines):
    assert line_faults(lines) == {} and as_names(lines) == lines
    assert text_fault(", ".join(lines)) is None


@pytest.mark.parametrize("name", sorted(path.stem for path in FOLDER.glob("*.tsv")))
def test_the_lists_of_the_benchmarks_are_plain_lists(name):
    names = load_class_list(name).names
    assert line_faults(names) == {} and as_names(names) == names


@pytest.mark.parametrize("file", ["pascal_context_59.txt", "cocostuff_ids.txt"])
def test_official_lists_with_numbers_are_refused_and_their_names_are_not(file):
    lines = (samples() / "classlists" / file).read_text().splitlines()
    names = [line.partition(": ")[2] for line in lines]
    faults = line_faults(lines)
    assert [fault.rpartition("write ")[2] for fault in faults.values()] == [*map(repr, names)]
    assert line_faults(names) == {}


@pytest.mark.parametrize("line", ["1 ", "a ", "(", "1,a", "- ", "a//", "'", "`", "<a>", "n1234"])
def test_long_lines_take_no_time(line):
    start = time.monotonic()
    line_faults([line * 9999, line * 150, "cat"])
    text_fault(line * 9999)
    assert time.monotonic() - start < 2


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


@pytest.mark.parametrize(
    "text", ["\u732b\uff0c\u72d7", "\u732b\u3001\u72d7", "cat\uff1bdog", "a\u060c b"]
)
def test_commas_of_other_scripts_are_named(text):
    """They would make one class of the whole list."""
    assert "holds several names; write with commas between" in text_fault(text)
    assert "holds several names" in line_faults([text, "tree"])[1]
