"""What decides the last digits: precision inside the networks, the attention kernel, the seeds.

float32 is the reference, and everything around the two networks is float32. What lower precisions
change is measured by tests/benchmarks/bench_numerics.py.
"""

import random
from contextlib import AbstractContextManager, nullcontext
from functools import cache
from typing import get_args

import numpy as np
import torch
from torch.nn.attention import SDPBackend, sdpa_kernel

from pipeline.core.errors import UserError
from pipeline.core.modes import Precision
from pipeline.core.processes import runtime
from pipeline.core.progress import report


def in_precision(device: torch.device, precision: Precision) -> AbstractContextManager:
    """Autocast matrix products and convolutions; a no-op for float32. UserError for an unknown
    precision. Turns TF32 off, see `keep_float32`."""
    if precision not in get_args(Precision):
        raise UserError(
            f"precision is {precision!r}; expected one of {', '.join(get_args(Precision))}"
        )
    keep_float32()
    if precision == "float32":
        return nullcontext()
    return torch.autocast(device.type, dtype=getattr(torch, precision))


def tower_precision(dev: torch.device, bfloat16: bool) -> Precision:
    """Return what a `bfloat16` parameter means on a device: bfloat16 where it has that arithmetic,
    float32 elsewhere, which is said once."""
    if not bfloat16:
        return "float32"
    if not has_bfloat16(dev):
        _say_float32(dev)
        return "float32"
    return "bfloat16"


def autocast(dev: torch.device, enabled: bool = True) -> AbstractContextManager:
    """Autocast to bfloat16 where that is safe and faster (matrix products, convolutions). A device
    without bfloat16 arithmetic stays at float32, which is reported once. Turns TF32 off, see
    `keep_float32`."""
    keep_float32()
    enabled = tower_precision(dev, enabled) == "bfloat16"
    return torch.autocast(dev.type, dtype=torch.bfloat16, enabled=enabled)


def keep_float32() -> None:
    """Keep float32 exact in this process, from now on: by default cuDNN calculates float32
    convolutions in TF32, whose mantissa has ten bits. (Matrix products are float32 by default.)"""
    torch.backends.cudnn.allow_tf32 = False


@cache
def has_bfloat16(dev: torch.device) -> bool:
    """Return whether the device calculates in bfloat16 itself.

    A processor without AMX or AVX-512 BF16 only emulates it, many times slower than float32.
    """
    if dev.type == "cuda":
        return torch.cuda.is_bf16_supported(including_emulation=False)
    capabilities = torch.cpu.get_capabilities()
    return any(capabilities.get(name) for name in ("amx_bf16", "avx512_bf16", "bf16"))


@cache
def _say_float32(dev: torch.device) -> None:
    report(f"precision: float32, since this {dev.type} has no bfloat16 arithmetic")


def math_attention() -> AbstractContextManager:
    """Use plain attention on CPUs, whose fused kernel is slow to train at our sizes; no-op on
    CUDA."""
    return sdpa_kernel(SDPBackend.MATH) if runtime.device().type == "cpu" else nullcontext()


def seed_everything(seed: int) -> None:
    """Seed Python, NumPy and torch (all devices)."""
    random.seed(seed)
    np.random.seed(seed % 2**32)
    torch.manual_seed(seed)
