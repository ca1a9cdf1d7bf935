"""Class lists in other formats than one name a line are refused, saying what to write."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.core.errors import UserError
from pipeline.data.class_list import as_read, line_faults, name_doubts, text_fault
from pipeline.data.classes import FOLDER, load_class_list
from pipeline.data.own_text import read_classes
from pipeline.ovseg.inputs import as_names
from pipeline.world.vocabulary import NOUNS
from tests.data.folders import samples

ENGLAND, SCOTLAND = (
    "\U0001f3f4" + "".join(chr(0xE0000 + ord(c)) for c in region) + "\U000e007f"
    for region in ("gbeng", "gbsct")
)


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("0: background\n1: cat\n", "classes.txt:2: '1: cat' has a number, .*; write 'cat'$"),
        ("0\tcat\n1\tdog", "classes.txt:1: '0.tcat' has a number, .*; write 'cat'"),
        ("0,cat\n1,dog", "'1,dog' has a number, .*; write 'dog'$"),
        ("1. cat\n2. dog", "'1. cat' has a number, .*; write 'cat'"),
        ("1) cat\n2) dog", "'1[)] cat' has a number, .*; write 'cat'"),
        ("001.Black_footed\n002.Laysan", "write 'Black_footed'"),
        ("0 cat\n1 dog\n2 hot dog", "'2 hot dog' has a number, .*; write 'hot dog'"),
        ("0 cat\n2 dog", "classes.txt:2: '2 dog' has a number, .*; write 'dog'"),
        ("cat 1\ndog 2\ntree 3", "classes.txt:3: 'tree 3' has a number, .*; write 'tree'"),
        ('["cat, dog","tree"]', "txt:1: the file is JSON; write one class name a line"),
        ("1 - cat\n2 - dog", "'1 - cat' has a number, .*; write 'cat'"),
        ("cat 0\ndog 1", "'dog 1' has a number, .*; write 'dog'"),
        ("cat: 1\ndog: 2", "'dog: 2' has a number behind it; write 'dog'"),
        ("cat,dog,tree", "classes.txt:1: .* holds several names; write one a line: cat, dog, tree"),
        ("cat; dog", "holds several names; write one a line: cat, dog"),
        ("cat\tdog", "holds several names; write one a line: cat, dog"),
        ("cat,\ndog,", "classes.txt:1: 'cat,' ends with ','; write 'cat'"),
        ('["cat", "dog"]', "txt:1: the file is JSON; write one class name a line"),
        ('{\n "0": "cat",\n "1": "dog"\n}', "the file is JSON; write"),
        ('{"cat": 0, "dog": 1}', "the file is JSON; write"),
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
        ("n02084071 dog\ntree", "txt:1: .* has an id, which is no word; write 'dog'"),
        ("dog (n02084071)\ntree", "has an id, .*; write 'dog'"),
        ("tree\nn02084071", "classes.txt:2: .* has an id, .*; write a name instead"),
        ("dog.n.01\ntree", "has an id, .*; write 'dog'"),
        ("/m/0bt9lr,Dog", "has an id, .*; write 'Dog'"),
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
        ("cat\n0\ndog\n1", "classes.txt:2: '0' is a number between names"),
        ("Cat\ndog\ncat", "classes.txt:3: 'cat' reads like 'Cat', name 1: .*; keep one"),
        ("\ufb01sh\nfish", "classes.txt:2: 'fish' reads like '.ufb01sh', name 1"),
        ("\uff43\uff41\uff54\ncat", "classes.txt:2: 'cat' reads like"),
        ("hot  dog\nhot dog", "classes.txt:2: 'hot dog' reads like 'hot  dog'"),
        ("names:\n- cat", "classes.txt:1: 'names:' is a line of YAML"),
        ('[{"id": 0, "name": "cat"}, {"id": 1, "name": "dog"}]', "the file is JSON; write"),
        ('{"categories": [{"id": 0, "name": "cat"}]}', "the file is JSON; write"),
        ('{"nc": 1, "names": ["cat"]}', "the file is JSON; write"),
        ("cat\rdog\nsofa", "cannot be seen .U.000D."),
        ("cat\r1\rdog\r,dog,\r", "classes.txt:4: ',dog,' ends with"),
        # what was read as names in 2026-11: wide signs, other counters, codes, counts, columns
        ("1\uff1acat\n2\uff1adog", "txt:2: .* has a number, .*; write 'dog'"),
        ("\uff11\uff1a\u732b\n\uff12\uff1a\u72d7", "has a number, .*; write '\u72d7'"),
        ("\u4e00\u3001\u732b\n\u4e8c\u3001\u72d7", "has a number, .*; write '\u72d7'"),
        ("I. cat\nII. dog\nIII. cow", "has a number, .*; write 'cow'"),
        ("1st: cat\n2nd: dog", "has a number, .*; write 'dog'"),
        ("1.1.1 urban\n1.1.2 rural", "has a number, .*; write 'rural'"),
        ("111 urban\n112 rural\n121 road", "has a number, .*; write 'road'"),
        ("    120 cat\n      7 dog\n      7 cow", "'7 cow' has a number, .*; write 'cow'"),
        ("cat: 120\ndog: 7", "'cat: 120' has a number behind it; write 'cat'"),
        ("cat,0\ndog,1", "'cat,0' has a number behind it; write 'cat'"),
        ("cat (120)\ndog (7)", "'dog .7.' has a number behind it; write 'dog'"),
        ("cat #ff0000\ndog #00ff00", "has a colour; write 'dog'"),
        ("cat rgb(255 0 0)\ndog rgb(0 255 0)", "has a colour; write 'dog'"),
        ("#ff0000 cat\n#00ff00 dog", "has a colour; write 'dog'"),
        ("LABEL_0\nLABEL_1", "'LABEL_1' stands for a name"),
        ("nc: 2\ncat\ndog", "txt:1: 'nc: 2' is a line of YAML"),
        ("/a/airfield\n/b/bar", "txt:2: '/b/bar' is a path or the name of a file"),
        ("cat.jpg\ndog", "txt:1: 'cat.jpg' is a path or the name of a file"),
        ("a/b/c.png\ndog", "txt:1: 'a/b/c.png' is a path or the name of a file"),
        ("caf\u00c3\u00a9\ndog", "txt:1: .* is UTF-8 that was read as cp1252; write 'caf\u00e9'"),
        ("caf\ufffd\ndog", "txt:1: .* holds U.FFFD, which stands for a letter that was lost"),
        ('"cat\ndog', "txt:1: .* holds one quote without the other"),
        ("\u201ccat\ndog", "txt:1: .* without the other"),
        ("cat\na photo of a {}", "txt:2: 'a photo of a {}' is a template of a prompt"),
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
        ["707-320", "737-400"], ["0-2", "4-6", "8-12"], [*"0123456789"], ["12", "17", "99"],
        ["cat", "12"], ["cat", "12", "dog"], ["Formula 1", "Boeing 737"],
        ["2 of clubs", "3 of hearts", "4 of spades"],
        ["rib_left_1", "rib_right_2"], ["rib_left_1", "rib_left_2", "rib_right_1"],
        ["#2 pencil", "% sign", "+ sign", "A: drive"], ["#2 pencil"], ["% sign"], ["+ sign"],
        ["A: drive", "B: drive"], ["Stra\u00dfe", "Strasse"], ["+", "-", "=", "#", ";", "|", "["],
        ["5\" pipe", "pipe"], ["\\mathcal{A}", "\\alpha"],
        ["smile :)", "\u201ethe Taz\u201c paper"],
        [ENGLAND, SCOTLAND, "\U0001f3f4"], ["T. rex", "C. elegans", "D. melanogaster"],
        ["label maker", "bottle"], ["rock 'n' roll", "dogs'"], ["tv / monitor", "cat"],
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


def test_the_nouns_of_the_world_are_a_plain_list():
    assert line_faults(list(NOUNS)) == {} and text_fault(", ".join(NOUNS)) is None


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("id,name\n0,cat\n1,dog", "classes.txt:1: 'id,name' is the header of a table"),
        ("name,idx\ncat,0\ndog,1", "classes.txt:1: 'name,idx' is the header of a table"),
        ("name\ncat\ndog", "classes.txt:1: 'name' is the header of a table"),
        ("class\ncat", "classes.txt:1: 'class' is the header of a table"),
        ("Label\ncat", "classes.txt:1: 'Label' is the header of a table"),
        ("cat,#ff0000\ndog,#00ff00", "classes.txt:2: 'dog,#00ff00' has a colour; write 'dog'"),
        ("cat. dog. tree.", "holds several names; write one a line: cat, dog, tree"),
        ("cat . dog .", "holds several names; write one a line: cat, dog"),
        ("cat / dog", "holds several names; write one a line: cat, dog"),
    ],
)
def test_files_with_a_header_or_a_single_line_are_refused(tmp_path, text, fault):
    """A header is a name where somebody types it, and commas separate names there."""
    (tmp_path / "classes.txt").write_text(text)
    with pytest.raises(UserError, match=fault):
        read_classes(tmp_path / "classes.txt")
    if "\n" not in text:
        with pytest.raises(UserError, match="holds several names"):
            as_names(text)


@pytest.mark.parametrize(
    ("lines", "doubts"),
    [
        (["cat", "hot dog"], []), ([*"0123456789"], []), (["707-320", "737-400"], []),
        ([*"123"], ["'1' (a number)", "'2' (a number)", "'3' (a number)"]),
        (["cat", "12"], ["'12' (a number)"]),
        (["#2 pencil", "pen"], ["'#2 pencil' (has a number, which its place in the list gives)"]),
        (["+ sign", "cat"], ["'+ sign' (has a bullet)"]),
        (["% sign", "cat"], ["'% sign' (is a comment)"]),
        (["A: drive"], ["'A: drive' (a letter in front)"]),
        (["cat", "1: dog", "cow"], ["'1: dog' (has a number, which its place in the list gives)"]),
        (["111 urban", "112 rural"], [
            "'111 urban' (a number on every line)", "'112 rural' (a number on every line)"]),
        (["cat,red", "dog,blue"], ["'cat,red' (two columns?)", "'dog,blue' (two columns?)"]),
        (["tv / monitor", "cat"], ["'tv / monitor' (several names?)"]),
        (["'cat", "dogs'"], ["\"'cat\" (a quote on one side)"]),
        (["+", "cat"], ["'+' (a sign and no word)"]),
        *(([name, "cat"], [f"'{name}' (a class like any other: pixels without a label are 255 in "
            "label maps)"]) for name in ("__ignore__", "__background__", "void", "unlabeled")),
    ],
)  # fmt: skip
def test_doubtful_names_are_accepted_and_named(lines, doubts):
    assert line_faults(lines) == {} and name_doubts(lines) == doubts


LETTERS = st.characters(categories=["L", "Zs"], exclude_characters=[*map(chr, range(0xC0, 0x100))])
"""Without those that UTF-8 gives where it is read as Latin-1."""


@given(st.lists(st.text(LETTERS, min_size=1), min_size=1))
def test_a_list_of_words_is_read_back_unchanged(tmp_path_factory, words):
    """Any letters of any script, but one of two that read alike."""
    names = {as_read(word): word.strip() for word in words}
    lines = [name for name in names.values() if name and "\u3164" not in name]
    path = tmp_path_factory.mktemp("own") / "classes.txt"
    path.write_text("cat1x\n" + "\n".join(lines), encoding="utf-8")
    assert read_classes(path) == ["cat1x", *lines] and isinstance(name_doubts(lines), list)


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
        ('["cat", "dog"]', "is JSON; write the names alone, with commas between$"),
        ('{"0": "cat"}', "is JSON; "),
        ('["cat, dog","tree"]', "is JSON"),
        ("['cat, dog','tree']", "is a list"),
        ('names: ["cat, dog", "tree"]', "is a list"),
        ('"cat, dog","tree"', "in quotes"),
        ("[cat, dog]", "is a list of another kind"),
        ("1: cat, 2: dog", "is no list of names: '1: cat' has a number, .*; write 'cat'"),
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
