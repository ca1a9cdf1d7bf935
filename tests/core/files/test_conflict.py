"""Merge conflicts are told from lines that only look like them."""

import pytest

from pipeline.core.errors import UserError
from pipeline.core.files.conflict import refuse_conflict


@pytest.mark.parametrize(
    "line", ["<<<<<<< HEAD", "=======", "||||||| base", ">>>>>>> theirs", "  <<<<<<<<< deep\r"]
)
def test_a_marker_is_named_with_its_line(line):
    with pytest.raises(UserError, match=r"^a.txt:3: a merge conflict that is not resolved \('"):
        refuse_conflict("a.txt", f"one\ntwo\n{line}\nfour".encode())


def test_a_marker_behind_a_byte_order_mark_is_named():
    with pytest.raises(UserError, match="a.txt:1: .*'<<<<<<< HEAD'"):
        refuse_conflict("a.txt", b"\xef\xbb\xbf<<<<<<< HEAD\n")


@pytest.mark.parametrize(
    "line", ["", "======", "<<<<<<<HEAD", "a: 1  # <<<<<<< HEAD", "========a", "-------"]
)
def test_other_lines_pass(line):
    refuse_conflict("a.txt", f"one\n{line}\nthree".encode())
