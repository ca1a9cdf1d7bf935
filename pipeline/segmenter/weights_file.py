"""Reading weights that others have written, without executing anything they contain.

Three formats: safetensors; torch files (with `weights_only`), as torchvision, timm and the original
Swin publish theirs; and detectron2's model zoo `.pkl` (ImageNet backbones such as R-103), which are
pickles of NumPy arrays and are read by an unpickler that knows nothing else.
"""

import codecs
import pickle
import zipfile
from collections import OrderedDict
from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors.torch import load_file
from torch import Tensor

CONTAINERS = ("model", "state_dict")
KNOWN_SOURCES = {
    "R-103.pkl": "https://dl.fbaipublicfiles.com/detectron2/DeepLab/R-103.pkl",
    "swin_base_patch4_window12_384_22k.pth": "https://github.com/SwinTransformer/storage/releases/"
    "download/v1.0.0/swin_base_patch4_window12_384_22k.pth",
}
"""Where the ImageNet backbones of the paper's two models are published."""
_RECONSTRUCT = np.empty(0).__reduce__()[0]
_SCALAR = np.float64(0).__reduce__()[0]
_KNOWN = {
    ("numpy", "ndarray"): np.ndarray,
    ("numpy", "dtype"): np.dtype,
    ("collections", "OrderedDict"): OrderedDict,
    ("_codecs", "encode"): codecs.encode,
} | {
    (f"numpy.{core}.multiarray", name): value
    for core in ("core", "_core")
    for name, value in (("_reconstruct", _RECONSTRUCT), ("scalar", _SCALAR))
}


def read_weights(path: Path | str) -> dict[str, Tensor]:
    """Tensors of a weights file, by name; the usual wrappings (`model`, `state_dict`, `module.`)
    are removed and whatever is no tensor is left out.

    FileNotFoundError without the file; ValueError when it cannot be read or holds no tensors.
    """
    path = find_weights(path)
    try:
        content = _content(path)
    except Exception as error:  # foreign bytes can fail a parser in any way
        why = f"{type(error).__name__}: {error}".partition("\n")[0]
        raise ValueError(
            f"{path}: not a weights file that can be read safely ({why}); expected safetensors, "
            "a torch file of tensors, or detectron2's .pkl"
        ) from error
    for name in CONTAINERS:
        if isinstance(content, dict) and isinstance(content.get(name), dict):
            content = content[name]
    tensors = {
        str(key).removeprefix("module."): torch.as_tensor(value)
        for key, value in (content.items() if isinstance(content, dict) else ())
        if isinstance(value, Tensor | np.ndarray)
    }
    if not tensors:
        raise ValueError(f"{path}: holds no tensors, expected a state dict")
    return tensors


def find_weights(path: Path | str) -> Path:
    """The file, if it is there. FileNotFoundError says where a well-known one is published."""
    path = Path(path)
    if not path.is_file():
        source = KNOWN_SOURCES.get(path.name)
        raise FileNotFoundError(
            f"{path}: no such weights file" + (f"; it is at {source}" if source else "")
        )
    return path


def _content(path: Path) -> Any:
    if path.suffix == ".safetensors":
        return load_file(path)
    if path.suffix == ".pkl" and not zipfile.is_zipfile(path):
        with open(path, "rb") as file:
            return _Arrays(file, encoding="latin1").load()
    return torch.load(path, map_location="cpu", weights_only=True)


class _Arrays(pickle.Unpickler):
    """Plain containers and NumPy arrays; anything else is refused."""

    def find_class(self, module: str, name: str) -> Any:
        if (module, name) not in _KNOWN:
            raise pickle.UnpicklingError(f"it wants to call {module}.{name}")
        return _KNOWN[module, name]
