"""Texts that are not UTF-8 are named with line and byte, or by their encoding."""

import codecs

import pytest

from pipeline.core.errors import UserError
from pipeline.core.files.utf8 import decode, refuse_other_encodings


@pytest.mark.parametrize("text", ["", "ü\r\n猫\n", "a\ufeffb"])
def test_a_text_is_the_same_with_and_without_a_byte_order_mark(text):
    assert decode("a.txt", text.encode()) == decode("a.txt", text.encode("utf-8-sig")) == text


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"\xe9", r"a.txt:1: not UTF-8: byte 1 of the line, near b'\\xe9'; save the file as UTF-8"),
        (b"one\r\ncaf\xe9 \r\ntwo", r"a.txt:2: not UTF-8: byte 4 of the line, near b'caf\\xe9 ';"),
        (codecs.BOM_UTF8 + b"caf\xe9", "a.txt:1: not UTF-8: byte 4 of the line"),
        (b"x" * 99 + b"\xe9y", r"a.txt:1: not UTF-8: byte 100 of the line, near b'x{30}\\xe9y';"),
    ],
)
def test_a_wrong_byte_is_named_by_its_line_and_shown_with_what_is_near(content, words):
    with pytest.raises(UserError, match=f"^{words}"):
        decode("a.txt", content)


@pytest.mark.parametrize("encoding", ["UTF-16", "UTF-32"])
@pytest.mark.parametrize("order", ["le", "be"])
def test_an_encoding_with_a_mark_is_called_by_its_name(encoding, order):
    content = "\ufeffa".encode(f"{encoding}-{order}")
    for read in (decode, refuse_other_encodings):
        with pytest.raises(UserError, match=f"^a.txt: {encoding} and not UTF-8 text; save it as"):
            read("a.txt", content)
