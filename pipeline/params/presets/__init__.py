"""Ready-made contents of params.yaml: the embedded world, and the paper's experiments.

`openmoji.yaml` holds the values of the default. Every other file here holds what differs from it,
or from the file that it is `based_on`; names that begin with an underscore are only there to be
based on. So a preset's params.yaml depends on nothing but the preset. Its comments are those of
the models (`pipeline/params/comments.py`).
"""

import io
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML
from ruamel.yaml.comments import CommentedMap

from pipeline.core.errors import UserError
from pipeline.params.comments import explain

FOLDER = Path(__file__).parent
DEFAULT = "openmoji"
BASE = "based_on"
WHOLE = (("segmenter", "architecture", "backbone"), ("evaluate", "sets"))
"""Mappings that a preset replaces instead of laying its keys over them."""


def preset_names() -> list[str]:
    """Return the presets, the default first."""
    names = sorted(p.stem for p in FOLDER.glob("*.yaml") if not p.stem.startswith("_"))
    return sorted(names, key=lambda name: name != DEFAULT)


def about(name: str) -> str:
    """Return one line on a preset."""
    return _read(name)[0].splitlines()[0].removeprefix("# ")


def params_of(name: str) -> str:
    """Return the text of params.yaml under a preset. UserError on an unknown name says which
    exist."""
    if name not in preset_names():
        raise UserError(f"no preset {name!r}; there are {', '.join(preset_names())}")
    document = _read(DEFAULT)[1]
    for values in reversed(_layers(name)):
        _lay(document, values, ())
    stream = io.StringIO()
    _parser().dump(document, stream)
    text = explain(stream.getvalue())
    if name == DEFAULT:
        return text
    return (
        f"# Preset {name}: {about(name)}\n# `ovseg preset {DEFAULT}` returns to the default.\n#\n"
        f"{text}"
    )


def _layers(name: str) -> list[CommentedMap]:
    """Return what a preset lays over the default: its own values, those of what it is based on,
    ..."""
    if name == DEFAULT:
        return []
    values = _read(name)[1]
    return [values, *_layers(values.pop(BASE, DEFAULT))]


def _lay(document: Any, values: Any, place: tuple[str, ...]) -> None:
    """Lay `values` over `document`."""
    for key, value in values.items():
        here = (*place, key)
        assert key in document, f"{'.'.join(here)} is not in {DEFAULT}.yaml"
        old = document[key]
        if isinstance(value, CommentedMap) and here not in WHOLE:
            _lay(old, value, here)
        else:
            document[key] = value


def _read(name: str) -> tuple[str, Any]:
    text = (FOLDER / f"{name}.yaml").read_text(encoding="utf-8")
    return text, _parser().load(text)


def _parser() -> YAML:
    parser = YAML()
    parser.width = 4096  # no line is broken in two
    parser.representer.add_representer(
        type(None), lambda r, _: r.represent_scalar("tag:yaml.org,2002:null", "null")
    )
    return parser
