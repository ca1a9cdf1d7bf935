"""Text files that people write, which are UTF-8, with or without a byte order mark."""

import codecs

from pipeline.core.errors import UserError

_SHOWN = 60
_OTHER_ENCODINGS = {
    codecs.BOM_UTF32_LE: "UTF-32",  # before UTF-16, whose mark it starts with
    codecs.BOM_UTF32_BE: "UTF-32",
    codecs.BOM_UTF16_LE: "UTF-16",
    codecs.BOM_UTF16_BE: "UTF-16",
}


def refuse_other_encodings(path: object, content: bytes) -> None:
    """Raise UserError if a text begins with the mark of UTF-16 or UTF-32. path: names the text."""
    for start, encoding in _OTHER_ENCODINGS.items():
        if content.startswith(start):
            raise UserError(f"{path}: {encoding} and not UTF-8 text; save it as UTF-8")


def decode(path: object, content: bytes) -> str:
    """Return a text without its byte order mark. UserError, with the line, if it is not UTF-8."""
    refuse_other_encodings(path, content)
    content = content.removeprefix(codecs.BOM_UTF8)
    try:
        return content.decode()
    except UnicodeDecodeError as error:
        before = content[: error.start].split(b"\n")
        column = len(before[-1])
        start = error.start - min(column, _SHOWN // 2)
        near = content[start : start + _SHOWN].partition(b"\n")[0].rstrip(b"\r")
        raise UserError(
            f"{path}:{len(before)}: not UTF-8: byte {column + 1} of the line, near {near!r}; save "
            "the file as UTF-8"
        ) from error
