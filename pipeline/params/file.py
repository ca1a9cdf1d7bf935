"""params.yaml as a file, parsed as DVC parses it."""

import re
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML
from ruamel.yaml.error import YAMLError

from pipeline.core.errors import MissingFileError, UserError
from pipeline.core.files.conflict import line_of, refuse_conflict
from pipeline.core.files.utf8 import decode

_HALF = re.compile(rb"\\u[dD][89a-fA-F][\da-fA-F]{2}")
"""Half a character as JSON escapes it; YAML does not join the halves."""


def read_yaml(path: Path) -> Any:
    """Parse a YAML file. MissingFileError without it, OSError where it cannot be read, UserError
    (with the line) where it is no YAML, not UTF-8, has a merge conflict or half a character in
    it.
    """
    if not path.is_file():
        raise MissingFileError(f"{path}: not found, expected the parameters of the pipeline")
    try:
        content = path.read_bytes()
    except OSError as error:
        raise OSError(error.errno, error.strerror, str(path)) from error  # not all name it
    text = decode(path, content)
    if half := _HALF.search(content):
        raise UserError(
            f"{path}:{line_of(content, half)}: {half[0].decode()} is half a character; write the "
            "character itself"
        )
    refuse_conflict(path, content)
    try:
        return YAML(typ="safe", pure=True).load(text)  # YAML 1.2, as DVC reads it
    except YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        where = f"{path}:{mark.line + 1}" if mark else str(path)
        problem = getattr(error, "problem", None) or str(error)
        raise UserError(f"{where}: not YAML: {' '.join(problem.split())}") from error
    except (ValueError, RecursionError) as error:  # a date that is none, 5000 digits, [[[[...
        problem = str(error).partition(";")[0]
        raise UserError(f"{path}: not YAML that can be used: {problem}") from error
