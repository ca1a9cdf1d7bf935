"""params.yaml as a file: parsed as DVC parses it, and what its sections must agree on."""

from pathlib import Path
from typing import Any

from ruamel.yaml import YAML
from ruamel.yaml.error import YAMLError


def read_yaml(path: Path) -> Any:
    """The parsed file. FileNotFoundError or ValueError (with the line) when it cannot be read."""
    if not path.is_file():
        raise FileNotFoundError(f"{path}: not found, expected the parameters of the pipeline")
    try:
        return YAML(typ="safe", pure=True).load(path)  # YAML 1.2, as DVC reads it
    except YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        where = f"{path}:{mark.line + 1}" if mark else str(path)
        raise ValueError(f"{where}: not YAML: {getattr(error, 'problem', error)}") from error


def check_sets(path: Path, content: Any) -> None:
    """ValueError where `evaluate.sets` has a set that `dataset.sets` lacks."""
    try:
        prepared, evaluated = content["dataset"]["sets"], list(content["evaluate"]["sets"])
        unknown = [name for name in evaluated if name not in prepared]
    except (KeyError, TypeError):
        return  # the sections themselves are checked elsewhere
    if unknown:
        raise ValueError(
            f"{path}: evaluate.sets has {', '.join(unknown)}, which dataset.sets "
            f"({', '.join(map(str, prepared))}) does not prepare: add it there or remove it here"
        )
