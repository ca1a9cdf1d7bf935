"""Where and how things run: device, workers, engine, precision. Never what they compute.

These come from the environment, not from params.yaml, so that moving to another machine
invalidates no cached result:

    OVSEG_DEVICE       cuda (all visible ones) | cuda:N | cpu; default: cuda where there is one
    OVSEG_WORKERS      processes for work on the CPU; default: the CPUs this process may use
    OVSEG_TRAINING_PROCESSES  processes a training is spread over; default: one per GPU
    OVSEG_ENGINE       local | ray; default: local
    OVSEG_RAY_ADDRESS  the cluster to join ("auto", "ray://host:10001"); default: start one here
"""

import os
import random
import re
from collections.abc import Sequence
from contextlib import AbstractContextManager, nullcontext
from functools import cache
from multiprocessing import SimpleQueue, get_context

import numpy as np
import torch
from torch.nn.attention import SDPBackend, sdpa_kernel

from pipeline.errors import UserError
from pipeline.progress import report
from pipeline.workers import Pool

ENGINES = ("local", "ray")


def device() -> torch.device:
    """The device for models. UserError on an unknown or absent device in OVSEG_DEVICE."""
    wanted = os.environ.get("OVSEG_DEVICE") or ("cuda" if torch.cuda.is_available() else "cpu")
    if not re.fullmatch(r"cpu|cuda(:\d+)?", wanted):
        raise UserError(f"OVSEG_DEVICE={wanted}: unknown device, allowed: cuda, cuda:N, cpu")
    chosen = torch.device(wanted)
    if chosen.type == "cuda" and (chosen.index or 0) >= torch.cuda.device_count():
        raise UserError(
            f"OVSEG_DEVICE={wanted}: this machine shows {torch.cuda.device_count()} CUDA devices, "
            "choose another or unset OVSEG_DEVICE"
        )
    return chosen


def gpus() -> int:
    """How many CUDA devices to use: all visible ones, unless OVSEG_DEVICE says otherwise."""
    chosen = device()
    if chosen.type != "cuda":
        return 0
    return torch.cuda.device_count() if chosen.index is None else 1


def workers() -> int:
    """How many processes may work at once, at least 1."""
    if (wanted := _number("OVSEG_WORKERS")) is not None:
        return wanted
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()


def training_processes() -> int:
    """How many processes a training is spread over, at least 1."""
    return _number("OVSEG_TRAINING_PROCESSES") or max(1, gpus())


def _number(variable: str) -> int | None:
    wanted = os.environ.get(variable)
    if not wanted:
        return None
    if not wanted.isdecimal() or int(wanted) < 1:
        raise UserError(f"{variable}={wanted}: expected a whole number of at least 1")
    return int(wanted)


def process_pool(most: int, names: Sequence[str] = ()) -> Pool:
    """Up to OVSEG_WORKERS fresh processes, `most` at most; names: of their tasks, for messages."""
    return Pool(min(workers(), max(1, most)), names)


def gpu_pool(most: int, names: Sequence[str] = ()) -> Pool:
    """A fresh process for every GPU, `most` at most, in which that one is the device."""
    number = min(gpus(), max(1, most))
    devices = get_context("spawn").SimpleQueue()
    for index in range(number):
        devices.put(f"cuda:{index}")
    return Pool(number, names, _take_device, (devices,))


def _take_device(devices: SimpleQueue) -> None:
    os.environ["OVSEG_DEVICE"] = devices.get()


def engine() -> str:
    """What shards run on: "local" (this machine) or "ray" (a cluster; the extra `cluster`)."""
    wanted = os.environ.get("OVSEG_ENGINE") or "local"
    if wanted not in ENGINES:
        raise UserError(f"OVSEG_ENGINE={wanted}: unknown engine, allowed: {', '.join(ENGINES)}")
    return wanted


def ray_address() -> str | None:
    """Address of the Ray cluster to join; None starts one on this machine."""
    return os.environ.get("OVSEG_RAY_ADDRESS") or None


def autocast(dev: torch.device, enabled: bool = True) -> AbstractContextManager:
    """bfloat16 where it is safe and faster (matrix products, convolutions); float32 elsewhere, and
    everywhere on a device that has no bfloat16 arithmetic, which is said once."""
    if enabled and not has_bfloat16(dev):
        _say_float32(dev)
        enabled = False
    return torch.autocast(dev.type, dtype=torch.bfloat16, enabled=enabled)


@cache
def has_bfloat16(dev: torch.device) -> bool:
    """Whether the device calculates in bfloat16 itself.

    A processor without AMX or AVX-512 BF16 only imitates it, many times slower than float32.
    """
    if dev.type == "cuda":
        return torch.cuda.is_bf16_supported(including_emulation=False)
    capabilities = torch.cpu.get_capabilities()
    return any(capabilities.get(name) for name in ("amx_bf16", "avx512_bf16", "bf16"))


@cache
def _say_float32(dev: torch.device) -> None:
    report(f"precision: float32, since this {dev.type} has no bfloat16 arithmetic")


def math_attention() -> AbstractContextManager:
    """Plain attention on CPUs, whose fused kernel is slow to train at our sizes; no-op on CUDA."""
    return sdpa_kernel(SDPBackend.MATH) if device().type == "cpu" else nullcontext()


def seed_everything(seed: int) -> None:
    """Seed Python, NumPy and torch (all devices)."""
    random.seed(seed)
    np.random.seed(seed % 2**32)
    torch.manual_seed(seed)
