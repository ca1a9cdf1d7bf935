"""Each rule takes the lines that it is meant for, whole, with the name that was meant."""

import time

import pytest

from pipeline.data import class_rules
from pipeline.data.class_list import line_faults, name_doubts, text_fault


@pytest.mark.parametrize(
    "line",
    [
        "1 ",
        "a ",
        "(",
        "1,a",
        "- ",
        "a//",
        "'",
        "`",
        "<a>",
        "n1234",
        "r\t,",
        "a / ",
        "a. ",
        "1.1",
        "{}",
        "a,",
        "#fff ",
    ],
)
def test_long_lines_take_no_time(line):
    start = time.monotonic()
    line_faults([line * 9999, line * 150, "cat"])
    line_faults([line * 9999])
    name_doubts([line * 9999, line * 150, "cat"])
    text_fault(line * 9999)
    assert time.monotonic() - start < 2


NAMED = [
    (class_rules.FORMATS, "0: cat", "has a number", "cat"),
    (class_rules.FORMATS, "12\thot dog", "has a number", "hot dog"),
    (class_rules.FORMATS, "[0] cat", "has a number", "cat"),
    (class_rules.FORMATS, "class 3 -> cat", "has a number", "cat"),
    (class_rules.FORMATS, "cat=>3", "has a number", "cat"),
    (class_rules.FORMATS, "128 64 128 road", "has numbers", "road"),
    (class_rules.FORMATS, "cat #ff0000", "has a colour", "cat"),
    (class_rules.FORMATS, "cat (120)", "has a number behind it", "cat"),
    (class_rules.FORMATS, "LABEL_1", "stands for a name", None),
    (class_rules.FORMATS, "- [x] cat", "has a bullet", "cat"),
    (class_rules.SURE, "n02084071 dog", "has an id", "dog"),
    (class_rules.SURE, "dog.n.01", "has an id", "dog"),
    (class_rules.SURE, "'cat',", "is in quotes", "cat"),
    (class_rules.SURE, "Name: cat", "has a key", "cat"),
    (class_rules.SURE, "<b>cat</b>", "is markup", "cat"),
    (class_rules.SURE, "cat # my pet", "has a comment behind it", "cat"),
    (class_rules.SURE, "a/b/cat.jpg", "is a path", None),
    (class_rules.SURE, "a photo of a {}", "is a template", None),
    (class_rules.DOUBTFUL, "__ignore__", "a class like any other", None),
    (class_rules.DOUBTFUL, "12", "a number", None),
]


@pytest.mark.parametrize(("rules", "line", "what", "name"), NAMED)
def test_the_first_rule_of_a_line_says_what_it_is_and_which_name_was_meant(rules, line, what, name):
    found = next((rule, match) for rule in rules if (match := rule.match(line)))
    groups = found[1].groupdict()
    assert found[0].what.startswith(what)
    assert (groups.get("name") or groups.get("inner")) == name


@pytest.mark.parametrize("line", ["cat", "traffic light", "4x4", "route 66", "T. rex", "C#", "猫"])
@pytest.mark.parametrize("rules", ["FORMATS", "SURE", "DOUBTFUL"])
def test_a_name_is_taken_by_none(rules, line):
    assert not any(rule.match(line) for rule in getattr(class_rules, rules))


def test_ordinals_of_a_table_and_what_they_count():
    match = class_rules.ORDINAL.match("iv. cat")
    assert match and (match["ordinal"], match["name"]) == ("iv", "cat")
    letters, roman, chinese = class_rules.ORDINALS
    assert letters.index("d") == roman.index("iv") == chinese.index("四") == 3
