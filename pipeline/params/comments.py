"""The comments of a params.yaml: what each key means, as the models of the sections say it."""

import inspect
import re
from typing import Any

from pydantic import BaseModel
from ruamel.yaml import YAML

from pipeline.params.sections import Params

_KEY = re.compile(r"( *)([\w-]+):.*")


def explain(text: str) -> str:
    """Put the comments of the models beside the keys of a params.yaml that has one key a line."""
    params = Params.model_validate(YAML(typ="safe", pure=True).load(text))
    lines = inspect.cleandoc(Params.__doc__ or "").splitlines()
    lines = [f"# {line}" for line in lines]
    place: list[Any] = [params]  # the models and mappings around a line, by its depth
    for line in text.splitlines():
        found = _KEY.fullmatch(line)
        if not found:
            continue  # blank, or a comment on the file
        depth, key = len(found[1]) // 2, found[2]
        around = place[depth]
        place = [*place[: depth + 1], _inside(around, key)]
        first, *more = _description(around, key).splitlines() or [""]
        lines += [""] if depth == 0 else []
        lines.append(f"{line.rstrip()}  # {first}" if first else line.rstrip())
        lines += [f"{'  ' * max(depth, 1)}# {each}" for each in more]
    return "\n".join(lines) + "\n"


def _inside(around: Any, key: str) -> Any:
    return around.get(key) if isinstance(around, dict) else getattr(around, key, None)


def _description(around: Any, key: str) -> str:
    if not isinstance(around, BaseModel):
        return ""  # the name of an evaluation set
    return type(around).model_fields[key].description or ""
