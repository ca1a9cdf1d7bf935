"""What the readers of all JSON files in COCO's formats share: lists of entries with ids.

Tools write them with a byte order mark, with ids as text, or without keys of default value. The
readers of captions, instances and panoptic segments (captions.py, instances.py,
benchmarks/cocostuff.py) accept this, reject wrong entries by name and use the rest.
"""

import json
from collections.abc import Sequence
from pathlib import Path, PurePosixPath
from typing import Any, TypeGuard

from pipeline.core.errors import MissingFileError, UserError
from pipeline.core.files.written_json import read_json

MAX_INT = 2**63 - 1
"""The largest id that a Parquet file and pycocotools can hold."""
_SHOWN = 120

Fault = tuple[str, str]
"""Reason and detail of a reject."""


def read_document(
    path: Path, what: str, keys: Sequence[str], archive: str = "", source: str | None = None
) -> dict[str, Any]:
    """Parse a COCO file, as UTF-8 with or without a byte order mark, down to lists under `keys`.

    For messages: what ("captions" ...), archive (the official download that holds it), source (its
    address). MissingFileError without the file; UserError if it is not JSON or lacks a list.
    """
    origin = f", from {source}" if source else ""
    try:
        document = read_json(path, f"COCO {what}")
    except FileNotFoundError:
        expected = f"; expected {archive} unpacked there{origin}" if archive else ""
        raise MissingFileError(f"{path}: no {what}{expected}") from None
    except UserError as error:
        again = f"; unpack it again{origin}" if source else ""
        raise UserError(f"{error}{again}") from error
    if not isinstance(document, dict) or not all(isinstance(document.get(k), list) for k in keys):
        named = " and ".join(f'"{key}"' for key in keys)
        raise UserError(
            f"{path}: not COCO {what}; expected COCO {what} with keys {named}, each a list"
        )
    return document


def whole(value: Any) -> int | None:
    """Return a whole number in 0..MAX_INT, also if written as text or as 7.0; None otherwise."""
    if isinstance(value, str):
        if not (value.isascii() and value.isdecimal() and len(value) <= len(str(MAX_INT))):
            return None
        value = int(value)
    elif isinstance(value, bool) or not isinstance(value, int | float) or value % 1 != 0:
        return None
    return int(value) if 0 <= value <= MAX_INT else None


def numbers(entry: Any, *names: str) -> list[int] | None:
    """Return the whole numbers under these keys, None if one is missing or not a number."""
    if not isinstance(entry, dict):
        return None
    found = []
    for name in names:
        number = whole(entry.get(name))
        if number is None:
            return None
        found.append(number)
    return found


def crowd(entry: dict[str, Any]) -> bool | None:
    """Return whether an entry is a crowd, by "iscrowd" (missing or null count as 0); None for a
    value that is neither 0 nor 1."""
    value = entry.get("iscrowd")
    if value is None:
        return False
    if isinstance(value, bool):
        return value
    number = whole(value)
    return bool(number) if number in (0, 1) else None


def is_text(value: Any) -> TypeGuard[str]:
    """Return whether the value is text that can be encoded: JSON may escape half a surrogate
    pair."""
    try:
        return isinstance(value, str) and value.encode() is not None
    except UnicodeEncodeError:
        return False


def other_id(image: dict[str, Any], image_id: int) -> Fault | None:
    """Return the fault of an entry of "images" whose file name is the id of another picture, as
    tools that renumber leave it: pictures of COCO are found by their id."""
    name = image.get("file_name")
    if not is_text(name):
        return None
    named = whole(PurePosixPath(name.replace("\\", "/")).stem)
    if named is None or named == image_id:
        return None
    detail = f"{name!r} has id {image_id}; the names of COCO's pictures are their ids, write both"
    return "file name of another id", detail + " alike"


def wrong_entry(entry: Any, expected: str) -> Fault:
    """Return the fault of an entry that lacks a key or has a value of the wrong form."""
    detail = f"found {shown(entry)}; expected {expected}"
    return "wrong entry", f"{detail} (ids and sizes are whole numbers from 0 to 2^63 - 1)"


def shown(entry: Any) -> str:
    """Return the start of an entry as JSON, for messages; can always be encoded."""
    text = json.dumps(entry, ensure_ascii=False)[:_SHOWN]
    return text.encode("utf-8", "backslashreplace").decode()
