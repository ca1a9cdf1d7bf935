"""The tensors of a TorchScript archive (torch.jit.save), as OpenAI's CLIP files are.

torch.jit.load would run the archive's own code when it builds the modules. Here the archive is
read as the data it is (torch/csrc/jit/docs/serialization.md): a zip with

    data.pkl            the module tree: objects of classes __torch__.<...> and their attributes
    data/<key>          the bytes of a tensor's storage
    code/__torch__/...  sources; `__parameters__ = [...]` and `__buffers__ = [...]` of each class
                        say which attributes belong to the state dict
"""

import ast
import io
import pickle
import re
import zipfile
from collections import OrderedDict
from functools import cache
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

_STORAGES = {
    f"{name}Storage": dtype
    for name, dtype in (
        ("Float", torch.float32), ("Double", torch.float64), ("Half", torch.float16),
        ("BFloat16", torch.bfloat16), ("Long", torch.int64), ("Int", torch.int32),
        ("Short", torch.int16), ("Char", torch.int8), ("Byte", torch.uint8), ("Bool", torch.bool),
    )
}  # fmt: skip
_LISTS = re.compile(r"^  __(?:parameters|buffers)__ = (\[.*\])$", re.MULTILINE)


def is_torchscript(path: Path) -> bool:
    """True for an archive of torch.jit.save."""
    if not zipfile.is_zipfile(path):
        return False
    with zipfile.ZipFile(path) as archive:
        return any(name.endswith("/constants.pkl") for name in archive.namelist())


def read_torchscript(path: Path) -> dict[str, Tensor]:
    """The state dict: parameters and buffers by their dotted names, in the order of the file.

    Equal to torch.jit.load(path).state_dict(), on the CPU, but nothing of the archive is run.
    Raises what zip and pickle raise on a damaged or harmful file.
    """
    with zipfile.ZipFile(path) as archive:
        root = next(n for n in archive.namelist() if n.endswith("/data.pkl")).partition("/")[0]
        module = _Modules(archive, root).load()

        @cache
        def weights_of(kind: str) -> frozenset[str]:
            return _weights_of(archive, root, kind)

        state: dict[str, Tensor] = {}
        waiting = [("", module)]
        while waiting:
            prefix, module = waiting.pop()
            below = []
            for name, value in module.attributes.items():
                if isinstance(value, _Module):
                    below.append((f"{prefix}{name}.", value))
                elif isinstance(value, Tensor) and name in weights_of(module.kind):
                    state[prefix + name] = value
            waiting.extend(reversed(below))
    return state


class _Module:
    """A module of the archive: the name of its class and its attributes, no behaviour."""

    kind = ""

    def __init__(self) -> None:
        self.attributes: dict[str, Any] = {}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.attributes = state if isinstance(state, dict) else {}


class _Modules(pickle.Unpickler):
    """Builds modules without behaviour and tensors, and calls nothing else."""

    def __init__(self, archive: zipfile.ZipFile, root: str) -> None:
        super().__init__(io.BytesIO(archive.read(f"{root}/data.pkl")))
        self._archive, self._root = archive, root
        self._kinds: dict[str, type] = {}

    def find_class(self, module: str, name: str) -> Any:
        if module == "__torch__" or module.startswith("__torch__."):
            kind = f"{module}.{name}"
            return self._kinds.setdefault(kind, type(name, (_Module,), {"kind": kind}))
        if (module, name) == ("torch._utils", "_rebuild_tensor_v2"):
            return _tensor
        if (module, name) == ("collections", "OrderedDict"):
            return OrderedDict
        if module == "torch.jit._pickle" and name.startswith("build_"):
            return list  # lists of numbers or tensors, which are no weights
        if module == "torch" and name in _STORAGES:
            return _STORAGES[name]
        raise pickle.UnpicklingError(f"it wants to call {module}.{name}")

    def persistent_load(self, pid: tuple) -> Tensor:
        _, dtype, key, _, numel = pid
        content = bytearray(self._archive.read(f"{self._root}/data/{int(key)}"))
        if not numel:
            return torch.empty(0, dtype=dtype)
        return torch.frombuffer(content, dtype=dtype, count=numel)


def _tensor(storage: Tensor, offset: int, size: tuple, stride: tuple, *_: Any) -> Tensor:
    return storage.as_strided(size, stride, offset).clone()


def _weights_of(archive: zipfile.ZipFile, root: str, kind: str) -> frozenset[str]:
    """Names of the parameters and buffers of a class, from its source in the archive."""
    module, _, name = kind.rpartition(".")
    source = archive.read(f"{root}/code/{module.replace('.', '/')}.py").decode()
    body = re.search(
        rf"^class {re.escape(name)}\(Module\):\n((?:  .*\n|\n)*)", source, re.MULTILINE
    )
    lists = _LISTS.findall(body[1]) if body else []
    return frozenset(name for found in lists for name in ast.literal_eval(found))
