"""Pickles of NumPy arrays, as detectron2's model zoo has them, by an unpickler that knows no more.

A pickle is a program; this one may build plain containers and arrays, and call nothing else.
"""

import codecs
import pickle
import zipfile
from collections import OrderedDict
from pathlib import Path
from typing import Any

import numpy as np

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


def is_array_pickle(path: Path) -> bool:
    """True for a .pkl that is no torch file."""
    return path.suffix == ".pkl" and not zipfile.is_zipfile(path)


def read_arrays(path: Path) -> Any:
    """The content of the pickle. UnpicklingError when it wants to call anything unknown."""
    with open(path, "rb") as file:
        return _Arrays(file, encoding="latin1").load()


class _Arrays(pickle.Unpickler):
    def find_class(self, module: str, name: str) -> Any:
        if (module, name) not in _KNOWN:
            raise pickle.UnpicklingError(f"it wants to call {module}.{name}")
        return _KNOWN[module, name]
