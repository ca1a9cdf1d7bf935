"""Read pickles as data (containers, numbers, text, arrays, tensors) without calling anything.

A pickle is a program. This reader knows what a state dict needs: plain containers, NumPy arrays
and the functions with which torch rebuilds tensors. Any other object of the file, such as
an argparse.Namespace, a configuration node or a whole nn.Module, becomes an Inert: its arguments
and attributes, without its class. A pickle that asks for something of Python's standard library
that holds no data (os.system, builtins.eval, io.open ...) is refused.

The unpickler is the Python one, whose memory is bounded by the file; that of the C one is not.
"""

import pickle
import sys
from _compat_pickle import IMPORT_MAPPING, NAME_MAPPING
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from typing import IO, Any, ClassVar

import numpy as np
import torch
from torch import Tensor

DATA_MODULES = {
    "abc", "argparse", "array", "collections", "dataclasses", "datetime", "decimal", "enum",
    "fractions", "functools", "ipaddress", "numbers", "pathlib", "random", "re", "typing", "types",
    "uuid", "zoneinfo",
}  # fmt: skip
"""Modules of the standard library whose objects are often stored beside weights."""
DATA_BUILTINS = {
    "bool", "bytearray", "bytes", "complex", "dict", "float", "frozenset", "getattr", "int", "list",
    "object", "range", "set", "slice", "str", "tuple", "type", "Ellipsis", "NotImplemented",
}  # fmt: skip
"""getattr: members of an enum."""
STORAGES = {
    f"{name}Storage": dtype
    for name, dtype in (
        ("Float", torch.float32), ("Double", torch.float64), ("Half", torch.float16),
        ("BFloat16", torch.bfloat16), ("Long", torch.int64), ("Int", torch.int32),
        ("Short", torch.int16), ("Char", torch.int8), ("Byte", torch.uint8), ("Bool", torch.bool),
        ("ComplexFloat", torch.complex64), ("ComplexDouble", torch.complex128),
        ("Untyped", torch.uint8),
    )
}  # fmt: skip
LARGEST_REPEATED = 1 << 28
"""Largest size of a tensor that has more elements than are stored, as an expanded one has."""


class Inert:
    """An object of the file as data, without its class.

    kind: full name of its class; attributes: its state; entries: its content as a dict.
    """

    kind = ""

    def __init__(self, *_: Any, **__: Any) -> None:
        self.attributes: dict[Any, Any] = {}
        self.entries: dict[Any, Any] = {}

    def build(self, state: Any) -> None:
        for part in state if isinstance(state, tuple) else (state,):
            if isinstance(part, dict):
                self.attributes.update(part)

    def __setitem__(self, key: Any, value: Any) -> None:
        self.entries[key] = value

    def append(self, _: Any) -> None:
        """Ignore entries of a list or set, which have no names."""

    add = extend = append


@dataclass(frozen=True)
class Unusable:
    """A tensor whose numbers cannot be read. why: the reason, for messages."""

    why: str


class StoredDtype:
    """NumPy's dtype. code: such as f4; order: byte order."""

    def __init__(self, code: Any = "", *_: Any) -> None:
        self.code, self.order = code, "<"

    def build(self, state: Any) -> None:
        if isinstance(state, tuple) and len(state) > 1 and state[1] in ("<", ">", "|", "="):
            self.order = state[1]


class StoredArray:
    """NumPy's array as stored; checked when it becomes a tensor."""

    def __init__(self, *_: Any) -> None:
        self.state: Any = None

    def build(self, state: Any) -> None:
        self.state = state

    def tensor(self) -> Tensor | None:
        """Convert to a tensor; None if not numbers. ValueError if they do not fill the shape."""
        _, shape, dtype, fortran, content = self.state
        code = dtype.code if isinstance(dtype, StoredDtype) else None
        if not (isinstance(code, str) and code[:1] in "biuf" and code[1:] in ("1", "2", "4", "8")):
            return None
        if isinstance(content, str):  # Python 2 wrote bytes as text
            content = content.encode("latin1")
        stored = np.frombuffer(content, np.dtype(code).newbyteorder(dtype.order))
        array = stored.reshape(shape, order="F" if fortran else "C")
        return torch.as_tensor(np.array(array, stored.dtype.newbyteorder("=")))


class DataReader(pickle._Unpickler):
    """Reads a pickle as data. kinds: full names of the objects that became Inert.

    A damaged pickle may raise anything; a forbidden call raises UnpicklingError, which names it.
    """

    # Python's unpickler sets these when it loads; its type stubs leave them out.
    proto: int
    stack: list[Any]
    append: Callable[[Any], None]
    dispatch: ClassVar[dict[int, Callable[[Any], None]]] = pickle._Unpickler.dispatch.copy()

    def __init__(self, file: IO[bytes]) -> None:
        super().__init__(file, encoding="latin1")
        self.kinds: dict[str, type[Inert]] = {}

    def find_class(self, module: str, name: str) -> Any:
        if self.proto < 3:  # such pickles use Python 2's names
            module, name = NAME_MAPPING.get((module, name), (module, name))
            module = IMPORT_MAPPING.get(module, module)
        if (module, name) in FUNCTIONS:
            return FUNCTIONS[module, name]
        if module in ("torch", "torch.storage") and name in STORAGES:
            return STORAGES[name]
        if module == "torch" and isinstance(getattr(torch, name, None), torch.dtype):
            return getattr(torch, name)
        root = module.partition(".")[0]
        data = name in DATA_BUILTINS if root == "builtins" else root in DATA_MODULES
        if root in sys.stdlib_module_names and not data:
            raise pickle.UnpicklingError(f"it wants to call {module}.{name}")
        kind = f"{module}.{name}"
        return self.kinds.setdefault(kind, type("Inert", (Inert,), {"kind": kind}))

    def call(self, called: Any, arguments: Any) -> Any:
        if isinstance(called, Function):
            return called.run(*arguments)
        if isinstance(called, type) and issubclass(called, Inert):
            return called()
        raise pickle.UnpicklingError(f"it calls a {type(called).__name__}")

    def load_reduce(self) -> None:
        arguments = self.stack.pop()
        self.stack[-1] = self.call(self.stack[-1], arguments)

    def load_newobj_ex(self) -> None:
        self.stack.pop()
        self.load_reduce()

    def load_build(self) -> None:
        state, built = self.stack.pop(), self.stack[-1]
        if isinstance(built, Inert | StoredArray | StoredDtype):
            built.build(state)
        elif not isinstance(built, OrderedDict | Tensor):  # whose attributes are no weights
            raise pickle.UnpicklingError(f"it changes a {type(built).__name__}")

    def _instantiate(self, klass: Any, args: Any) -> None:
        self.append(self.call(klass, args))

    dispatch[pickle.REDUCE[0]] = dispatch[pickle.NEWOBJ[0]] = load_reduce
    dispatch[pickle.NEWOBJ_EX[0]] = load_newobj_ex
    dispatch[pickle.BUILD[0]] = load_build


@dataclass(frozen=True)
class Function:
    """One of the few functions that a pickle may call."""

    run: Callable[..., Any]


def _tensor(storage: Any, offset: int, size: tuple, stride: tuple, *_: Any) -> Any:
    if isinstance(storage, Unusable):
        return storage
    if not isinstance(storage, Tensor) or storage.ndim != 1:
        raise pickle.UnpicklingError("a tensor without its storage")
    if torch.Size(size).numel() > max(storage.numel(), LARGEST_REPEATED):
        raise pickle.UnpicklingError(f"a tensor {tuple(size)} of {storage.numel()} numbers")
    return storage.as_strided(size, stride, offset)


def _tensor_of(storage: Any, offset: int, size: tuple, stride: tuple, *rest: Any) -> Any:
    """Rebuild a tensor of a type without a storage class: storage in bytes, offset in elements."""
    dtype = next((part for part in rest if isinstance(part, torch.dtype)), torch.float32)
    return _tensor(storage.view(dtype), offset, size, stride)


def _of_type(function: Any, _: Any, arguments: tuple, *__: Any) -> Any:
    return function.run(*arguments) if isinstance(function, Function) else Inert()


def _made(kind: Any, *_: Any) -> Any:
    return kind() if isinstance(kind, type) and issubclass(kind, Inert) else Inert()


def _array_of(content: Any, dtype: Any, shape: Any, order: Any) -> StoredArray:
    array = StoredArray()
    array.build((1, shape, dtype, order == "F", content))
    return array


def _number(dtype: Any, content: Any) -> Any:
    """NumPy's scalar as a plain number; no weight, so an Inert if it is of another type."""
    found = _array_of(content, dtype, (), "C").tensor()
    return Inert() if found is None else found.item()


def _text(content: str, encoding: str = "latin1") -> bytes:
    """Protocol 2 writes bytes as text."""
    if encoding not in ("latin1", "latin-1", "utf-8", "ascii"):
        raise pickle.UnpicklingError(f"it wants to encode as {encoding}")
    return content.encode(encoding)


_CALLS: dict[tuple[str, str], Callable[..., Any]] = {
    ("collections", "OrderedDict"): OrderedDict,
    ("collections", "defaultdict"): lambda *_: {},
    ("collections", "Counter"): lambda *_: {},
    ("builtins", "dict"): lambda *_: {},
    ("builtins", "set"): lambda *_: set(),
    ("builtins", "list"): lambda *_: [],
    ("_codecs", "encode"): _text,
    ("copyreg", "_reconstructor"): _made,
    ("copyreg", "__newobj__"): _made,
    ("numpy", "ndarray"): StoredArray,
    ("numpy", "dtype"): StoredDtype,
    ("torch._utils", "_rebuild_tensor"): _tensor,
    ("torch._utils", "_rebuild_tensor_v2"): _tensor,
    ("torch._utils", "_rebuild_tensor_v3"): _tensor_of,
    ("torch._utils", "_rebuild_parameter"): lambda data, *_: data,
    ("torch._utils", "_rebuild_parameter_with_state"): lambda data, *_: data,
    ("torch._tensor", "_rebuild_from_type_v2"): _of_type,
    ("torch._tensor", "_rebuild_from_type"): _of_type,
    ("torch.nn.parameter", "Parameter"): lambda data, *_: data,
    ("torch._utils", "_rebuild_qtensor"): lambda *_: Unusable("quantised"),
    ("torch._utils", "_rebuild_sparse_tensor"): lambda *_: Unusable("sparse"),
    ("torch._utils", "_rebuild_sparse_csr_tensor"): lambda *_: Unusable("sparse"),
    ("torch._utils", "_rebuild_meta_tensor_no_storage"): lambda *_: Unusable(
        "on torch's meta device, which holds no numbers"
    ),
}
FUNCTIONS = {key: Function(run) for key, run in _CALLS.items()} | {
    (f"numpy.{core}.{module}", name): Function(run)
    for core in ("core", "_core")
    for module, name, run in (
        ("multiarray", "_reconstruct", lambda *_: StoredArray()),
        ("multiarray", "scalar", _number),
        ("numeric", "_frombuffer", _array_of),
    )
}
QUANTISED = ("QInt8Storage", "QUInt8Storage", "QInt32Storage", "QUInt4x2Storage", "QUInt2x4Storage")
"""Storages whose numbers mean nothing without a scale."""
