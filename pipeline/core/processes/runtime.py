"""Where things run: device, workers, engine. Results differ by rounding at most (docs/numerics.md).

These come from the environment, not from params.yaml, so that moving to another machine
invalidates no cached result:

    OVSEG_DEVICE       cuda (all visible ones) | cuda:N | cpu; default: cuda where there is one
    OVSEG_WORKERS      processes for work on the CPU; default: the CPUs this process may use
    OVSEG_TRAINING_PROCESSES  processes a training is spread over; default: one per GPU
    OVSEG_ENGINE       local | ray; default: local
    OVSEG_RAY_ADDRESS  the cluster to join ("auto", "ray://host:10001"); default: start one here
"""

import os
import re
from collections.abc import Sequence
from multiprocessing import SimpleQueue, get_context

import torch

from pipeline.core.errors import UserError
from pipeline.core.processes.workers import Pool

ENGINES = ("local", "ray")
MAX_PROCESSES = 1024  # on one machine


def device() -> torch.device:
    """Return the device for models. UserError on an unknown or absent device in OVSEG_DEVICE."""
    setting = os.environ.get("OVSEG_DEVICE") or ("cuda" if torch.cuda.is_available() else "cpu")
    if not re.fullmatch(r"cpu|cuda(:[0-9]{1,3})?", setting):
        raise UserError(f"OVSEG_DEVICE={setting}: unknown device, allowed: cuda, cuda:N, cpu")
    chosen = torch.device(setting)
    if chosen.type == "cuda" and (chosen.index or 0) >= torch.cuda.device_count():
        raise UserError(
            f"OVSEG_DEVICE={setting}: this machine shows {torch.cuda.device_count()} CUDA devices, "
            "choose another or unset OVSEG_DEVICE"
        )
    return chosen


def gpus() -> int:
    """Return how many CUDA devices to use: all visible ones, unless OVSEG_DEVICE says otherwise."""
    chosen = device()
    if chosen.type != "cuda":
        return 0
    return torch.cuda.device_count() if chosen.index is None else 1


def workers() -> int:
    """Return how many processes may work at once, at least 1."""
    if (setting := _number("OVSEG_WORKERS")) is not None:
        return setting
    if hasattr(os, "sched_getaffinity"):  # not on macOS
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def training_processes() -> int:
    """Return how many processes a training is spread over, at least 1. UserError for more than
    GPUs."""
    setting, available = _number("OVSEG_TRAINING_PROCESSES"), gpus()
    if setting is not None and 0 < available < setting:
        raise UserError(
            f"OVSEG_TRAINING_PROCESSES={setting}: one GPU for each is needed, there are "
            f"{available}; choose fewer, or OVSEG_DEVICE=cpu"
        )
    return setting or max(1, available)


def check_environment() -> None:
    """Raise UserError if any of these variables has a value that cannot be used, also one that only
    a later stage reads."""
    for read in (device, workers, training_processes, engine):
        read()


def _number(variable: str) -> int | None:
    setting = os.environ.get(variable)
    if not setting:
        return None
    if not re.fullmatch(r"[0-9]{1,9}", setting) or not 1 <= int(setting) <= MAX_PROCESSES:
        raise UserError(f"{variable}={setting}: expected a whole number, 1 to {MAX_PROCESSES}")
    return int(setting)


def process_pool(limit: int, names: Sequence[str] = ()) -> Pool:
    """Start OVSEG_WORKERS fresh processes, at most `limit`; names: of their tasks, for messages."""
    return Pool(min(workers(), max(1, limit)), names)


def gpu_pool(limit: int, names: Sequence[str] = ()) -> Pool:
    """Start a fresh process for every GPU, at most `limit`; each uses its GPU as the device."""
    number = min(gpus(), max(1, limit))
    devices = get_context("spawn").SimpleQueue()
    for index in range(number):
        devices.put(f"cuda:{index}")
    return Pool(number, names, _take_device, (devices,))


def _take_device(devices: SimpleQueue) -> None:
    os.environ["OVSEG_DEVICE"] = devices.get()


def engine() -> str:
    """Return what shards run on: "local" (this machine) or "ray" (a cluster; the extra
    `cluster`)."""
    setting = os.environ.get("OVSEG_ENGINE") or "local"
    if setting not in ENGINES:
        raise UserError(f"OVSEG_ENGINE={setting}: unknown engine, allowed: {', '.join(ENGINES)}")
    return setting


def ray_address() -> str | None:
    """Return the address of the Ray cluster to join; None starts one on this machine."""
    return os.environ.get("OVSEG_RAY_ADDRESS") or None
