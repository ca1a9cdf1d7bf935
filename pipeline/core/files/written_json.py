"""Read JSON files that stages wrote, and check them against a model of their content."""

import json
from collections import Counter
from pathlib import Path
from typing import Annotated, Any, TypeVar

from pydantic import AfterValidator, BaseModel, ValidationError

from pipeline.core.errors import UserError
from pipeline.core.files.utf8 import decode

M = TypeVar("M", bound=BaseModel)
FAULTS_SHOWN = 3


def _plain(text: str) -> str:
    if "\0" in text or not text.isascii() and text != text.encode(errors="replace").decode():
        raise ValueError("holds a character that no text or path can have")
    return text


Text = Annotated[str, AfterValidator(_plain)]
"""Text that can be printed and used in a path: no NUL, no unpaired surrogate."""


def read_json(path: Path, what: str) -> Any:
    """Read the value in a JSON file. UserError, naming file and line, if it is not JSON in UTF-8.

    what: what the file should be, for the message. FileNotFoundError if it does not exist.
    """
    text = decode(path, path.read_bytes())
    try:
        return json.loads(text, object_pairs_hook=_once)
    except json.JSONDecodeError as error:
        where = f"{path}:{error.lineno}"
        found = ascii(text[error.pos : error.pos + 30]) if text[error.pos :].strip() else "the end"
        raise UserError(
            f"{where}: not JSON ({error.msg}, found {found}), expected {what}"
        ) from error
    except (ValueError, RecursionError) as error:  # a number of 5000 digits, [[[[ ...
        raise UserError(f"{path}: not JSON ({error}), expected {what}") from error


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """Make an object of its keys and values. ValueError for a key that is there twice, of which
    Python would keep the last."""
    found = dict(pairs)
    if len(found) != len(pairs):
        count = Counter(key for key, _ in pairs)
        twice = next(key for key in found if count[key] > 1)
        raise ValueError(f"the key {ascii(twice)[:80]} is there twice in one object")
    return found


def checked(model: type[M], document: Any, path: Path, what: str) -> M:
    """Validate a document against its model. UserError names the entries that are wrong."""
    try:
        return model.model_validate(document)
    except ValidationError as error:
        faults = [_in_words(fault) for fault in error.errors()]
        more = f" and {len(faults) - FAULTS_SHOWN} more" if len(faults) > FAULTS_SHOWN else ""
        shown = "; ".join(faults[:FAULTS_SHOWN]).encode(errors="replace").decode()
        raise UserError(f"{path}: not {what} ({shown}{more})") from error


def _in_words(fault: Any) -> str:
    *above, last = fault["loc"] or ("the whole",)
    if fault["type"] == "missing":
        where = f" in {'.'.join(map(str, above))}" if above else ""
        return f"key {last!r} is missing{where}"
    return f"{'.'.join(map(str, (*above, last)))}: {fault['msg']}"
