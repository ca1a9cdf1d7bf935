"""params.yaml as a file, parsed as DVC parses it."""

from pathlib import Path
from typing import Any

from ruamel.yaml import YAML
from ruamel.yaml.error import YAMLError

from pipeline.errors import MissingFileError, UserError


def read_yaml(path: Path) -> Any:
    """The parsed file. MissingFileError or UserError (with the line) when it cannot be read."""
    if not path.is_file():
        raise MissingFileError(f"{path}: not found, expected the parameters of the pipeline")
    try:
        return YAML(typ="safe", pure=True).load(path)  # YAML 1.2, as DVC reads it
    except (YAMLError, UnicodeDecodeError, RecursionError) as error:
        mark = getattr(error, "problem_mark", None)
        where = f"{path}:{mark.line + 1}" if mark else str(path)
        problem = " ".join(str(getattr(error, "problem", error)).split())
        raise UserError(f"{where}: not YAML: {problem}") from error
