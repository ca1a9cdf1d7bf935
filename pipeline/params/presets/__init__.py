"""Ready-made contents of params.yaml: the embedded world, and the paper's experiments.

`openmoji.yaml` is the default, whole and with the comments. Every other file here holds values to
be laid over it, those of the file it is `based_on` first; names that begin with an underscore are
only there to be based on. So a preset's params.yaml depends on nothing but the preset.
"""

import io
import re
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML
from ruamel.yaml.comments import CommentedMap, CommentedSeq

from pipeline.core.errors import UserError

FOLDER = Path(__file__).parent
DEFAULT = "openmoji"
BASE = "based_on"
WHOLE = (("segmenter", "architecture", "backbone"), ("evaluate", "sets"))
"""Mappings that a preset replaces instead of laying its keys over them."""


def preset_names() -> list[str]:
    """The presets, the default first."""
    names = sorted(p.stem for p in FOLDER.glob("*.yaml") if not p.stem.startswith("_"))
    return sorted(names, key=lambda name: name != DEFAULT)


def about(name: str) -> str:
    """One line on a preset."""
    if name == DEFAULT:
        return "The default: the embedded OpenMoji world, the miniature CLIP, a small segmenter."
    return _read(name)[0].splitlines()[0].removeprefix("# ")


def params_of(name: str) -> str:
    """The text of params.yaml under a preset. UserError on an unknown name says which exist."""
    if name not in preset_names():
        raise UserError(f"no preset {name!r}; there are {', '.join(preset_names())}")
    text = _read(DEFAULT)[0]
    if name == DEFAULT:
        return text
    parser = _parser()
    document = parser.load(text)
    for values in reversed(_layers(name)):
        _lay(document, values, ())
    stream = io.StringIO()
    stream.write(f"# Preset {name}: {about(name)}\n# `ovseg preset {DEFAULT}` returns to the ")
    stream.write("default.\n#\n")
    parser.dump(document, stream)
    return re.sub(r"(?m)^(\s*[\w-]+:[^#\n]*?\S?) +#", r"\1  #", stream.getvalue())


def _layers(name: str) -> list[CommentedMap]:
    """The preset's own values, then those of what it is based on, and so on."""
    values = _read(name)[1]
    base = values.pop(BASE, None)
    return [values, *(_layers(base) if base else ())]


def _lay(document: Any, values: Any, place: tuple[str, ...]) -> None:
    """Lay `values` over `document`, whose comments stay; a whole mapping brings its own."""
    for key, value in values.items():
        here = (*place, key)
        assert key in document, f"{'.'.join(here)} is not in {DEFAULT}.yaml"
        old = document[key]
        if isinstance(value, CommentedMap) and here not in WHOLE:
            _lay(old, value, here)
        elif isinstance(value, CommentedSeq) and isinstance(old, CommentedSeq):
            old[:] = value  # the comment beside it belongs to the old list
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
