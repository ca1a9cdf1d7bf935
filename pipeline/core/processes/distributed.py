"""Training on several devices: a process for each, started by torchrun.

A training stage starts itself that way where there are several GPUs. Over several machines:

    torchrun --nnodes 2 --nproc_per_node 8 ... -m stages.segmenter --dataset ... --out ...

The global batch is fixed by the parameters and split over the processes, which end with the one
that started them.
"""

import logging
import os
import sys
import uuid
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from signal import SIGKILL, SIGTERM
from typing import Any, NoReturn

import torch
import torch.distributed as dist

from pipeline.core.errors import UserError
from pipeline.core.processes import runtime
from pipeline.core.processes.workers import LAUNCHER, death, end_with, launcher
from pipeline.core.progress import report


def start_all() -> None:
    """Run this command in `runtime.training_processes()` processes and exit with their status;
    return if one process is enough or this is one of them.

    UserError if one of them was killed or ended with an error of the user's.
    """
    if dist.is_torchelastic_launched():
        end_with(launcher() or os.getppid())
        return
    if (number := runtime.training_processes()) == 1:
        return
    report(f"training in {number} processes")
    os.environ[LAUNCHER] = str(os.getpid())
    os.environ.setdefault("OMP_NUM_THREADS", "1")  # as torchrun has it
    _launch(number, [*_this_program(), *sys.argv[1:]])


def _this_program() -> list[str]:
    """Return how Python was started: with -m and a module, or with a file."""
    module = sys.modules["__main__"].__spec__
    return ["-m", module.name] if module is not None else [sys.argv[0]]


def _launch(number: int, arguments: list[str]) -> NoReturn:
    """Run torchrun --standalone in this process, so that a failure can be reported in one line."""
    logging.disable(logging.ERROR)  # torchrun logs every signal it sends
    from torch.distributed.elastic.multiprocessing import SignalException
    from torch.distributed.elastic.multiprocessing.errors import ChildFailedError
    from torch.distributed.launcher import LaunchConfig, elastic_launch

    config = LaunchConfig(
        min_nodes=1,
        max_nodes=1,
        nproc_per_node=number,
        run_id=str(uuid.uuid4()),
        rdzv_backend="c10d",
        rdzv_endpoint="localhost:0",  # a free port
        max_restarts=0,
        signals_to_handle="SIGTERM,SIGHUP",  # SIGINT stays a KeyboardInterrupt
    )
    try:
        elastic_launch(config, sys.executable)(*arguments)
    except ChildFailedError as error:
        _tell(error.failures)
    except SignalException as error:
        raise SystemExit(128 + error.sigval) from None
    raise SystemExit(0)


def _tell(failures: Mapping[int, Any]) -> NoReturn:
    """Say why a training failed: the first failure, or the one that was killed from outside.

    failures: torch's ProcessFailure by rank, including the processes that torchrun then ended by
    SIGTERM or, half a minute later, by SIGKILL.
    """
    first = min(failure.timestamp for failure in failures.values())
    at_first = {rank: f for rank, f in failures.items() if f.timestamp <= first + 10}  # seconds
    rank = min(at_first, key=lambda r: _severity(at_first[r].exitcode))
    failure = at_first[rank]
    if failure.exitcode < 0:
        raise death(
            f"training process {rank} (pid {failure.pid})",
            failure.exitcode,
            "set OVSEG_TRAINING_PROCESSES to fewer",
        )
    content = failure.error_file_data["message"]
    if failure.exitcode == 2 and isinstance(content, dict):
        raise UserError(content["message"].partition(": ")[2])
    if isinstance(content, dict):
        print(content["extraInfo"]["py_callstack"], end="", file=sys.stderr)
    raise SystemExit(failure.exitcode)


def _severity(exitcode: int) -> int:
    """Rank an exit by how well it explains the others, best first: a kill 0, a crash, an error."""
    if exitcode in (-SIGKILL, -SIGTERM):
        return 0 if exitcode == -SIGKILL else 3
    return 1 if exitcode < 0 else 2


def loader_workers(device: torch.device) -> int:
    """Return how many processes read pictures for one training process: its share of OVSEG_WORKERS
    when training on a GPU; 0 (it reads itself) when training on the CPU."""
    if device.type != "cuda":
        return 0
    beside = int(os.environ.get("LOCAL_WORLD_SIZE", "1"))
    return max(1, runtime.workers() // beside)


def _own_card() -> int:
    """Return the index of this process's GPU, its local rank. UserError if there is none."""
    number, cards = dist.get_node_local_rank(), torch.cuda.device_count()
    if number >= cards:
        devices = "device" if cards == 1 else "devices"
        raise UserError(
            f"at least {number + 1} training processes on this machine, which shows {cards} CUDA "
            f"{devices}: NCCL takes one process a device, so set "
            "OVSEG_TRAINING_PROCESSES to their number at most (or OVSEG_DEVICE=cpu)"
        )
    return number


@contextmanager
def process_group(device: torch.device) -> Iterator[torch.device]:
    """Join the group when started by torchrun, and leave it again; otherwise do nothing.

    Yields the device of this process: of several GPUs the one with its local rank.
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
