"""A device that is not the CPU where there is none: CPU tensors that say they are on it.

Every operation is calculated on the CPU, with real numbers, after the check that CUDA would make:
tensors on two devices do not mix (but for a scalar of the CPU, and indices of the CPU into a tensor
of the device), and none becomes a NumPy array without `.cpu()`. It finds what would fail in a first
run on a GPU: a tensor made on the wrong device. It says nothing of kernels, precision or speed.

torch can register such a device once a process and never take it back: use a process of its own.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from unittest.mock import patch

import torch
from torch import Tensor
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.utils._mode_utils import no_dispatch
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves, tree_map
from torch.utils.backend_registration import (
    _DummyBackendModule,
    _setup_privateuseone_for_python_backend,
)

NAME = "pretended"
DEVICE = torch.device("privateuseone", 0)
aten = torch.ops.aten
COPIES = (aten._to_copy, aten.to, aten.copy_, aten.copy)
INDEXED = (aten.index, aten.index_put, aten.index_put_, aten._index_put_impl_)


class OnDevice(Tensor):
    """A tensor on the pretended device; `inner` holds its numbers."""

    inner: Tensor

    @staticmethod
    def __new__(cls, inner: Tensor) -> "OnDevice":
        made = Tensor._make_wrapper_subclass(
            cls, inner.size(), strides=inner.stride(), storage_offset=inner.storage_offset(),
            dtype=inner.dtype, device=DEVICE, requires_grad=inner.requires_grad,
        )  # fmt: skip
        made.inner = inner
        return made

    __torch_function__ = torch._C._disabled_torch_function_impl

    @classmethod
    def __torch_dispatch__(cls, func, types, args=(), kwargs=None):
        return _calculate(func, args, kwargs or {})

    def tolist(self) -> Any:
        return self.cpu().tolist()

    def __repr__(self) -> str:
        return f"{self.inner!r} on {DEVICE}"

    def __reduce_ex__(self, protocol: int) -> Any:
        return self.detach().cpu().__reduce_ex__(protocol)


class _Factories(TorchDispatchMode):
    """Catches the calls that make tensors, which have none among their arguments."""

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        return _calculate(func, args, kwargs or {})


def _calculate(func, args: tuple, kwargs: dict[str, Any]) -> Any:
    packet, given = func.overloadpacket, [args, kwargs]
    if packet in INDEXED and isinstance(args[0], OnDevice):
        _refuse_mixed(func, [args[0], *args[2:3]])  # its indices may be on the CPU
    elif packet not in COPIES:
        _refuse_mixed(func, given)
    leaves = tree_leaves(given)
    wanted = [leaf for leaf in leaves if isinstance(leaf, torch.device)]
    if wanted:
        outside = wanted[0].type == DEVICE.type
    elif packet in COPIES:
        outside = isinstance(args[0], OnDevice)
    else:
        outside = any(isinstance(leaf, OnDevice) for leaf in leaves)
    owners = {id(t.inner): t for t in leaves if isinstance(t, OnDevice)}
    inner_args, inner_kwargs = tree_map(_inner, (args, kwargs))

    def wrapped(result: Any) -> Any:
        if not isinstance(result, Tensor) or isinstance(result, OnDevice):
            return result
        if id(result) in owners:  # an operation in place
            return owners[id(result)]
        return OnDevice(result) if outside else result

    done = tree_map(wrapped, func(*inner_args, **inner_kwargs))
    if torch.Tag.inplace_view in func.tags and outside:
        with no_dispatch():
            func(*args, **kwargs)  # the wrapper takes its new shape too
    return done


def _inner(leaf: Any) -> Any:
    if isinstance(leaf, OnDevice):
        return leaf.inner
    return torch.device("cpu") if isinstance(leaf, torch.device) else leaf


def _refuse_mixed(func, given: Any) -> None:
    tensors = [leaf for leaf in tree_leaves(given) if isinstance(leaf, Tensor)]
    apart = {t.device.type for t in tensors if t.ndim or isinstance(t, OnDevice)}
    if len(apart) > 1:
        shapes = [(t.device.type, tuple(t.shape)) for t in tensors]
        raise RuntimeError(f"{func}: tensors on two devices: {shapes}")


class _Backend(_DummyBackendModule):
    """What torch asks a device about itself; autocast asks for its types."""

    def get_amp_supported_dtype(self) -> list[torch.dtype]:
        return [torch.bfloat16]


@contextmanager
def pretended_device() -> Iterator[torch.device]:
    """Inside, `DEVICE` is there, for the rest of this process' life."""
    _setup_privateuseone_for_python_backend(NAME, _Backend())
    torch._C._set_only_lift_cpu_tensors(True)  # torch.tensor shows its copy to the device
    torch.__future__.set_overwrite_module_params_on_conversion(True)
    with (
        patch.object(torch._C, "_InferenceMode", lambda mode: torch.set_grad_enabled(not mode)),
        sdpa_kernel(SDPBackend.MATH),  # the choice of a kernel would ask the device
        _Factories(),
    ):
        yield DEVICE
