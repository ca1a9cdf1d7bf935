"""Reading a file of tensors, whatever wrote it, without executing anything in it.

safetensors; torch files, with `weights_only`; TorchScript archives, as OpenAI's CLIP is published;
and detectron2's model zoo `.pkl` (ImageNet backbones such as R-103).
"""

import json
import pickle
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors import safe_open
from safetensors.torch import load_file
from torch import Tensor

from pipeline.errors import MissingFileError, UserError
from pipeline.weights.arrays import is_array_pickle, read_arrays
from pipeline.weights.torchscript import is_torchscript, read_torchscript

CONTAINERS = ("model", "state_dict")
"""Entries under which training code keeps the state dict."""
WRAPPER = "module."
"""What distributed training puts before every key."""
ABOUT = "ovseg"
"""Entry under which our own exports describe their architecture, beside the tensors."""
_UNSAFE = re.compile(r"GLOBAL ([\w.]+)")


@dataclass(frozen=True)
class TensorFile:
    """tensors: the state dict, without its container and `module.`; others: names of whatever else
    the file holds (optimizer, iteration, a second container ...); about: the architecture, in our
    own exports; wrapped: some keys of the file begin with `module.`."""

    tensors: dict[str, Tensor]
    others: list[str]
    about: dict[str, Any]
    wrapped: bool = False


def read_tensors(path: Path | str) -> TensorFile:
    """The tensors in a file, on the CPU.

    MissingFileError without the file; UserError when it is damaged, holds no tensors or wants
    code to run, or when two of its keys differ by `module.` alone.
    """
    path = Path(path)
    if not path.is_file():
        raise MissingFileError(
            f"{path}: no such file, expected weights (.safetensors, .pth, .pt or .pkl)"
        )
    try:
        content, about = _content(path)
    except Exception as error:  # foreign bytes can fail a parser in any way
        raise UserError(
            f"{path}: not weights that can be read safely ({_reason(error)}); expected a file of "
            "tensors: .safetensors, torch.save of a state dict, or detectron2's .pkl"
        ) from error
    outer = content if isinstance(content, dict) else {}
    taken = next((name for name in CONTAINERS if isinstance(outer.get(name), dict)), None)
    inner = outer if taken is None else outer[taken]
    tensors: dict[str, Tensor] = {}
    others = [str(k) for k in outer if k not in (taken, ABOUT)] if inner is not outer else []
    for key, value in inner.items():
        name = str(key).removeprefix(WRAPPER)
        if name in tensors:
            raise UserError(f"{path}: holds {name} twice, with and without {WRAPPER!r}")
        if isinstance(value, Tensor):
            tensors[name] = value
        elif isinstance(value, np.ndarray) and value.dtype.kind in "biuf":
            tensors[name] = torch.as_tensor(value)
        elif inner is not outer or key != ABOUT:
            others.append(str(key))
    if not tensors:
        raise UserError(f"{path}: holds no tensors, expected a state dict")
    about = about if about is not None else outer.get(ABOUT) or {}
    if not isinstance(about, dict) or not all(isinstance(part, dict) for part in about.values()):
        raise UserError(f"{path}: its entry {ABOUT!r} describes no model, but is {about!r:.80}")
    wrapped = any(str(key).startswith(WRAPPER) for key in inner)
    return TensorFile(tensors, others, about, wrapped)


def _content(path: Path) -> tuple[Any, dict | None]:
    """What the file holds, and the description that stands apart from it."""
    if path.suffix == ".safetensors":
        with safe_open(path, "pt") as file:
            about = json.loads((file.metadata() or {}).get(ABOUT, "{}"))
        return load_file(path), about
    if is_torchscript(path):
        return read_torchscript(path), None
    if is_array_pickle(path):
        return read_arrays(path), None
    return torch.load(path, map_location="cpu", weights_only=True), None


def _reason(error: Exception) -> str:
    """One line; of torch's advice to read the file unsafely nothing but the fault."""
    unsafe = _UNSAFE.search(str(error))
    if isinstance(error, pickle.UnpicklingError) and unsafe:
        return f"it wants to call {unsafe[1]}"
    if "weights_only" in str(error) or type(error) in (KeyError, IndexError):
        return "no torch file"
    if isinstance(error, EOFError) and not str(error):
        return "it ends too early"
    return f"{type(error).__name__}: {error}".partition("\n")[0]
