"""Training on several devices: a process for each, started by torchrun.

A training stage starts itself that way where there are several GPUs. Over several machines:

    torchrun --nnodes 2 --nproc_per_node 8 ... -m stages.segmenter --dataset ... --out ...

The global batch is fixed by the parameters and split over the processes.
"""

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import NoReturn

import torch
import torch.distributed as dist

from pipeline import runtime
from pipeline.errors import UserError
from pipeline.progress import report


def start_all() -> None:
    """Put in this process's place torchrun, with as many processes of the same command as
    `runtime.training_processes` says; return where one is enough or torchrun is there already."""
    if dist.is_torchelastic_launched() or (number := runtime.training_processes()) == 1:
        return
    report(f"training in {number} processes")
    torchrun = [sys.executable, "-m", "torch.distributed.run", "--standalone"]
    _become([*torchrun, f"--nproc_per_node={number}", *_this_program(), *sys.argv[1:]])


def _this_program() -> list[str]:
    """How Python was started: with -m and a module, or with a file."""
    module = sys.modules["__main__"].__spec__
    return ["-m", module.name] if module is not None else [sys.argv[0]]


def _become(command: list[str]) -> NoReturn:
    sys.stdout.flush()
    os.execv(command[0], command)


def loader_workers(device: torch.device) -> int:
    """Processes that read pictures for one training process: its share of OVSEG_WORKERS where it
    trains on a GPU; 0, which is none beside it, on the CPU that trains."""
    if device.type != "cuda":
        return 0
    beside = int(os.environ.get("LOCAL_WORLD_SIZE", "1"))
    return max(1, runtime.workers() // beside)


def _own_card() -> int:
    """The card of this process: that of its number on this machine. UserError without one."""
    number, cards = dist.get_node_local_rank(), torch.cuda.device_count()
    if number >= cards:
        raise UserError(
            f"at least {number + 1} training processes on this machine, which shows {cards} CUDA "
            f"device{'s' * (cards != 1)}: NCCL takes one process a device, so set "
            "OVSEG_TRAINING_PROCESSES to their number at most (or OVSEG_DEVICE=cpu)"
        )
    return number


@contextmanager
def process_group(device: torch.device) -> Iterator[torch.device]:
    """Join the group when started by torchrun, and leave it again; otherwise do nothing.

    Gives the device of this process: of several GPUs the one with its local rank.
    """
    if not dist.is_torchelastic_launched() or dist.is_initialized():
        yield device
        return
    if device.type == "cuda":
        device = torch.device("cuda", _own_card())
        torch.cuda.set_device(device)
    dist.init_process_group("nccl" if device.type == "cuda" else "gloo")
    try:
        yield device
    finally:
        dist.destroy_process_group()
