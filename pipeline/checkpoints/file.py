"""Reading a checkpoint file without executing anything in it."""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors import safe_open
from torch import Tensor

from pipeline.clip import sources
from pipeline.segmenter.weights_file import CONTAINERS, read_weights

ABOUT = "ovseg"
"""Entry under which our own exports describe their architecture, beside the tensors."""
WRAPPER = "module."


@dataclass(frozen=True)
class CheckpointFile:
    """tensors: the state dict, without `module.`; others: names of whatever else the file holds
    (optimizer, iteration ...); about: the architecture, in files that `ovseg export` wrote."""

    tensors: dict[str, Tensor]
    others: list[str]
    about: dict[str, Any]


def open_checkpoint(path: Path) -> CheckpointFile:
    """Read a torch file (`weights_only`), .safetensors, detectron2's .pkl (arrays only) or
    OpenAI's TorchScript archive (tensors only).

    FileNotFoundError without the file, ValueError when it holds no tensors or anything unsafe.
    """
    path = Path(path)
    if not path.is_file():
        raise FileNotFoundError(f"{path}: no such checkpoint file")
    if path.suffix == ".safetensors":
        tensors = read_weights(path)
        with safe_open(path, "pt") as file:
            about = (file.metadata() or {}).get(ABOUT, "{}")
        return CheckpointFile(tensors, [], json.loads(about))
    if path.suffix == ".pkl":
        return CheckpointFile(read_weights(path), [], {})
    if sources.is_torchscript(path):
        tensors = sources.read_weights(path)
        extras = [key for key in sources.OPENAI_EXTRAS if tensors.pop(key, None) is not None]
        return CheckpointFile(tensors, extras, {})
    return _torch_file(path)


def _torch_file(path: Path) -> CheckpointFile:
    try:
        content = torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:  # foreign bytes can fail a parser in any way
        why = f"{type(error).__name__}: {error}".partition("\n")[0]
        raise ValueError(
            f"{path}: not a checkpoint that can be read safely ({why}); expected a torch file of "
            "tensors, .safetensors, or detectron2's .pkl"
        ) from error
    outer = content if isinstance(content, dict) else {}
    inner = next((outer[name] for name in CONTAINERS if isinstance(outer.get(name), dict)), outer)
    tensors = {
        str(key).removeprefix(WRAPPER): value
        for key, value in inner.items()
        if isinstance(value, Tensor)
    }
    if not tensors:
        raise ValueError(f"{path}: holds no tensors, expected a state dict")
    others = [str(key) for key, value in inner.items() if not isinstance(value, Tensor)]
    if inner is not outer:
        others += [str(key) for key in outer if key not in (*CONTAINERS, ABOUT)]
    about = outer.get(ABOUT, {})
    return CheckpointFile(tensors, others, about if isinstance(about, dict) else {})
