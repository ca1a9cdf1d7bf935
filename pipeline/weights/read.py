"""Read a file of tensors, whatever wrote it, without executing anything in it.

Supported are safetensors, also in parts with an index; files of torch.save, from today's zip to
the stream before torch 1.6; TorchScript archives, as OpenAI's CLIP is published; and plain pickles
of arrays, as in detectron2's model zoo (R-103). Formats are recognised by content, not by suffix
(kinds.py); objects beside the weights are read as data (pickles.py); the weights are found inside
whatever training code wrapped around them (state.py).
"""

import json
import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from safetensors import safe_open
from safetensors.torch import load_file
from torch import Tensor

from pipeline.core.errors import MissingFileError, UserError
from pipeline.weights.kinds import ForeignFile, Kind, kind_of
from pipeline.weights.state import find_state
from pipeline.weights.torch_files import read_archive, read_pickle, read_stream
from pipeline.weights.torchscript import read_torchscript

ABOUT = "ovseg"
"""Entry, beside the tensors, under which our exports describe their architecture."""
INDEX = ".index.json"
_PART = re.compile(r"(.+)-\d{5}-of-(\d{5})(\.\w+)")
_SUFFIXES = (".safetensors", ".pth", ".pt", ".ckpt", ".bin", ".pkl", INDEX)
_TORCH = {"torch": read_archive, "torch_stream": read_stream, "pickle": read_pickle}


@dataclass(frozen=True)
class TensorFile:
    """tensors: the state dict, without its container and wrappers' prefixes; others: names of
    whatever else the file holds (optimizer, iteration, a second container ...); about: the
    architecture, in our own exports; notes: what was recognised, to be printed."""

    tensors: dict[str, Tensor]
    others: list[str]
    about: dict[str, Any]
    notes: list[str] = field(default_factory=list)


def read_tensors(path: Path | str) -> TensorFile:
    """Read the tensors in a file, on the CPU, in their stored types.

    MissingFileError without the file; UserError if it is damaged or of another format, holds no
    tensors or several models, wants code to run, or has two keys that differ only in wrappers'
    prefixes.
    """
    path = Path(path)
    if path.is_dir():
        raise UserError(f"{path}: a folder, expected a file of weights{_files_in(path)}")
    if not path.is_file():
        raise MissingFileError(
            f"{path}: no such file, expected weights (.safetensors, .pth, .pt or .pkl)"
        )
    if part := _PART.fullmatch(path.name):
        index = path.with_name(f"{part[1]}{part[3]}{INDEX}")
        there = "" if index.is_file() else ", which is not beside it: get it and all parts"
        raise UserError(
            f"{path}: one of {int(part[2])} parts of a model; give their index, {index}{there}"
        )
    content, about, notes = _read(path)
    state = find_state(content, str(path), ABOUT)
    if about is None:
        about = (content.get(ABOUT) if isinstance(content, dict) else None) or {}
    if not isinstance(about, dict) or not all(isinstance(part, dict) for part in about.values()):
        raise UserError(f"{path}: its entry {ABOUT!r} describes no model, but is {about!r:.80}")
    return TensorFile(state.tensors, state.others, about, notes + state.notes)


def _read(path: Path) -> tuple[Any, dict | None, list[str]]:
    """Return a file's content, its separate description if it has one, and notes about it."""
    try:
        with open(path, "rb") as file:
            kind = kind_of(file, path.name)
            if kind == "torchscript":
                return read_torchscript(file), None, []
            if kind in _TORCH:
                content, kinds = _TORCH[kind](file)
                return content, None, _about_kind(path, kind) + _about_objects(kinds)
        if kind == "index":
            return _parts(path), {}, []
        with safe_open(path, "pt") as opened:
            about = json.loads((opened.metadata() or {}).get(ABOUT, "{}"))
        return load_file(path), about, _about_kind(path, kind)
    except UserError:
        raise
    except Exception as error:  # foreign bytes can fail a parser in any way
        raise UserError(
            f"{path}: not weights that can be read safely ({_reason(error)}); expected a file of "
            "tensors: .safetensors, torch.save of a state dict, or detectron2's .pkl"
        ) from error


def _parts(path: Path) -> dict[str, Any]:
    """Read the tensors of a model in parts, in the order of its index. UserError if the index names
    a missing part, or a tensor that its part does not hold."""
    index = json.loads(path.read_text(encoding="utf-8-sig"))
    places = index.get("weight_map") if isinstance(index, dict) else None
    if not isinstance(places, dict) or not places:
        raise ForeignFile("a JSON file that is no index of a model's parts: it has no weight_map")
    parts: dict[str, Any] = {}
    for name in dict.fromkeys(map(str, places.values())):
        part = path.with_name(Path(name).name)
        if not part.is_file():
            raise MissingFileError(f"{part}: not there, though {path} names it as a part")
        content = _read(part)[0]
        parts[name] = content if isinstance(content, dict) else {}
    tensors = {}
    for key, name in places.items():
        if key not in parts[str(name)]:
            raise UserError(f"{path}: {name} holds no {key}, though the index says so")
        tensors[key] = parts[str(name)][key]
    return tensors


def _about_kind(path: Path, kind: Kind) -> list[str]:
    named = path.suffix == ".safetensors"
    if named == (kind == "safetensors"):
        return []
    written = "safetensors" if kind == "safetensors" else "a torch file"
    return [f"the file is {written}, though its name ends in {path.suffix or 'no suffix'}"]


def _about_objects(kinds: list[str]) -> list[str]:
    """Note the kinds of objects in a well-formed file, except those of numpy and torch."""
    named = [kind for kind in kinds if kind.partition(".")[0] not in ("numpy", "torch", "builtins")]
    return [f"read as data, nothing of them was run: {', '.join(named)}"] if named else []


def _files_in(folder: Path) -> str:
    files = sorted(path.name for path in folder.iterdir() if path.name.endswith(_SUFFIXES))
    whole = [name for name in files if not _PART.fullmatch(name)]
    if any(folder.glob("*.distcp")):
        return (
            "; this one is of torch.distributed.checkpoint: python -m "
            "torch.distributed.checkpoint.format_utils dcp_to_torch FOLDER FILE makes one of it"
        )
    return f", such as {', '.join(whole[:5])} in it" if whole else ""


def _reason(error: Exception) -> str:
    """Return an error as one line."""
    if isinstance(error, ForeignFile):
        return str(error)
    if isinstance(error, EOFError) and not str(error):
        return "it ends too early"
    text = str(error).partition("\n")[0]
    return text if text.startswith("it wants") else f"{type(error).__name__}: {text}"
