"""Read the tensors of a TorchScript archive (torch.jit.save), the format of OpenAI's CLIP files.

torch.jit.load would run the archive's own code to build the modules. Here the archive is read as
data (torch/csrc/jit/docs/serialization.md): a zip with

    data.pkl            the module tree: objects of classes __torch__.<...> and their attributes
    data/<key>          the bytes of a tensor's storage
    code/__torch__/...  sources; `__parameters__ = [...]` and `__buffers__ = [...]` of each class
                        say which attributes belong to the state dict
"""

import ast
import io
import re
import zipfile
from functools import cache
from pathlib import Path
from typing import IO

from torch import Tensor

from pipeline.weights.pickles import Inert
from pipeline.weights.torch_files import TensorReader, root_of, storages

MAX_MODULES = 10_000
_LISTS = re.compile(r"^  __(?:parameters|buffers)__ = (\[.*\])$", re.MULTILINE)


def is_torchscript(file: Path | IO[bytes]) -> bool:
    """Return whether the file is an archive of torch.jit.save."""
    if not zipfile.is_zipfile(file):
        return False
    with zipfile.ZipFile(file) as archive:
        return any(name.endswith("/constants.pkl") for name in archive.namelist())


def read_torchscript(file: IO[bytes]) -> dict[str, Tensor]:
    """Read the state dict: parameters and buffers by dotted name, in the order of the file.

    Equal to torch.jit.load(file).state_dict(), on the CPU, without running anything of the archive.
    A damaged or harmful file raises the errors of zipfile and pickle.
    """
    with zipfile.ZipFile(file) as archive:
        root = root_of(archive)
        content = io.BytesIO(archive.read(f"{root}/data.pkl"))
        module = TensorReader(content, storages(archive, root)).load()
        if not isinstance(module, Inert):
            raise ValueError("a TorchScript archive of no module")

        @cache
        def weights_of(kind: str) -> frozenset[str]:
            return _weights_of(archive, root, kind)

        state: dict[str, Tensor] = {}
        waiting = [("", module)]
        visited = 0
        while waiting:
            prefix, module = waiting.pop()
            visited += 1
            if visited > MAX_MODULES:
                raise ValueError("its modules hold themselves")
            below = []
            for name, value in module.attributes.items():
                if isinstance(value, Inert) and value.kind.startswith("__torch__"):
                    below.append((f"{prefix}{name}.", value))
                elif isinstance(value, Tensor) and name in weights_of(module.kind):
                    state[prefix + name] = value
            waiting.extend(reversed(below))
    return state


def _weights_of(archive: zipfile.ZipFile, root: str, kind: str) -> frozenset[str]:
    """Read the names of a class's parameters and buffers from its source in the archive."""
    module, _, name = kind.rpartition(".")
    source = archive.read(f"{root}/code/{module.replace('.', '/')}.py").decode()
    body = re.search(
        rf"^class {re.escape(name)}\(Module\):\n((?:  .*\n|\n)*)", source, re.MULTILINE
    )
    lists = _LISTS.findall(body[1]) if body else []
    return frozenset(name for found in lists for name in ast.literal_eval(found))
