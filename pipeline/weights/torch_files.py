"""Read files of torch.save as data.

Since torch 1.6 such a file is a zip, like those of torch.jit.save (torchscript.py):

    NAME/data.pkl      the object, with tensors that name their storage by key
    NAME/data/<key>    the bytes of a storage
    NAME/byteorder     "little" or "big"

Before, it was one stream: the pickles of a magic number, a protocol, the machine, the object and
the list of its storages' keys, then for each storage its number of elements (int64) and its bytes.

Python's zipfile verifies the checksums, and a file is refused if a storage has another size than
its tensors say. torch.load checks neither.
"""

import io
import pickle
import zipfile
from collections.abc import Callable
from typing import IO, Any

import torch
from torch import Tensor

from pipeline.weights.pickles import FUNCTIONS, QUANTISED, DataReader, Function, Unusable

MAGIC = bytes.fromhex("80028a0a6cfc9c46f9206aa850192e")
"""First bytes of the stream."""
BYTES_OF_A_COUNT = 8


class TensorReader(DataReader):
    """Reads the pickle of an object with tensors.

    storage: (key, dtype, number of elements N) -> a Tensor (N,).
    """

    def __init__(self, file: IO[bytes], storage: Callable[[Any, torch.dtype, int], Tensor]) -> None:
        super().__init__(file)
        self._storage = storage

    def find_class(self, module: str, name: str) -> Any:
        if module.startswith("torch") and name in QUANTISED:
            return Unusable("quantised")
        return super().find_class(module, name)

    def persistent_load(self, pid: Any) -> Any:
        kind, dtype, key, *rest = pid
        if kind == "module":  # a class and its source
            return dtype
        if isinstance(dtype, Unusable):
            return dtype
        if not isinstance(dtype, torch.dtype) or type(rest[1]) is not int or rest[1] < 0:
            raise pickle.UnpicklingError("a storage of no known type")
        whole = self._storage(key, dtype, rest[1])
        if len(rest) > 2 and rest[2] is not None:  # a part of another storage
            _, start, size = rest[2]
            return whole[start : start + size]
        return whole


def root_of(archive: zipfile.ZipFile) -> str:
    """Return the folder in the archive that holds its data.pkl. ValueError without one."""
    roots = [n.removesuffix("/data.pkl") for n in archive.namelist() if n.endswith("/data.pkl")]
    if not roots:
        raise ValueError("a zip without data.pkl, so not of torch")
    order = f"{roots[0]}/byteorder"
    if order in archive.namelist() and archive.read(order) != b"little":
        raise ValueError("written on a big-endian machine")
    return roots[0]


def storages(archive: zipfile.ZipFile, root: str) -> Callable[[Any, torch.dtype, int], Tensor]:
    """Return a function that reads a storage of the archive, each key once."""
    read: dict[tuple[str, torch.dtype], Tensor] = {}

    def storage(key: Any, dtype: torch.dtype, numel: int) -> Tensor:
        if (str(key), dtype) not in read:
            info = archive.getinfo(f"{root}/data/{key}")
            if info.compress_type != zipfile.ZIP_STORED:
                raise ValueError("a zip with compressed storages, which torch does not write")
            content = bytearray(archive.read(info)) if numel else bytearray()
            empty = torch.empty(0, dtype=dtype)
            read[str(key), dtype] = torch.frombuffer(content, dtype=dtype) if content else empty
        found = read[str(key), dtype]
        if len(found) < numel:
            raise ValueError(f"storage {key} has {len(found)} numbers where {numel} are expected")
        return found[:numel]

    return storage


def read_archive(file: IO[bytes]) -> tuple[Any, list[str]]:
    """Read a zip of torch.save: the object, and the kinds of objects read as data only."""
    with zipfile.ZipFile(file) as archive:
        root = root_of(archive)
        content = io.BytesIO(archive.read(f"{root}/data.pkl"))
        reader = TensorReader(content, storages(archive, root))
        return reader.load(), list(reader.kinds)


def read_stream(file: IO[bytes]) -> tuple[Any, list[str]]:
    """Like `read_archive`, for the format before torch 1.6."""
    size = file.seek(0, io.SEEK_END)
    file.seek(0)
    for _ in range(2):
        DataReader(file).load()
    about = DataReader(file).load()
    if not isinstance(about, dict) or about.get("little_endian") is not True:
        raise ValueError("written on a big-endian machine")
    found: dict[str, Tensor] = {}

    def storage(key: Any, dtype: torch.dtype, numel: int) -> Tensor:
        if str(key) not in found:
            held = sum(tensor.nbytes for tensor in found.values())
            if held + numel * dtype.itemsize > size:
                raise EOFError(f"the file is too short for storage {key}")
            found[str(key)] = torch.empty(numel, dtype=dtype)
        return found[str(key)]

    reader = TensorReader(file, storage)
    content = reader.load()
    for key in DataReader(file).load():
        whole = found[str(key)]
        count = int.from_bytes(file.read(BYTES_OF_A_COUNT), "little")
        stored = bytearray(file.read(whole.nbytes))
        if count != len(whole) or len(stored) != whole.nbytes:
            raise EOFError("it ends too early")
        if stored:
            whole.copy_(torch.frombuffer(stored, dtype=whole.dtype))
        del found[str(key)]
    if found:
        raise EOFError(f"the storage {next(iter(found))} is missing")
    return content, list(reader.kinds)


def read_pickle(file: IO[bytes]) -> tuple[Any, list[str]]:
    """Like `read_archive`, for a plain pickle of arrays or tensors."""
    reader = DataReader(file)
    return reader.load(), list(reader.kinds)


def _nested(content: bytes) -> Any:
    """Read a tensor's storage in a plain pickle, which is a file of torch.save's old format."""
    return read_stream(io.BytesIO(content))[0]


FUNCTIONS["torch.storage", "_load_from_bytes"] = Function(_nested)
