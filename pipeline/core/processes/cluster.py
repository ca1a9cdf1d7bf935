"""Shards as Ray tasks: from one machine to a cluster with OVSEG_ENGINE=ray (extra `cluster`).

The project's folder, with .venv and data, must be on storage that every machine mounts under the
same path. Machines with a GPU run one task per GPU; each keeps the environment variables it was
started with.
"""

import os
from collections.abc import Callable, Iterator
from typing import Any, TypeVar

from pipeline.core.errors import UserError
from pipeline.core.processes import runtime
from pipeline.core.program import set_up

T = TypeVar("T")


def run(make: Callable[[int, list[T]], Any], missing: dict[int, list[T]]) -> Iterator[Any]:
    """Yield make(index, items) for every entry of `missing`, in order of completion.

    At most twice as many tasks as the cluster has places are submitted at any time, so that memory
    does not grow with the number of shards. An exception in a task is raised here with its type.
    """
    ray = _ray()
    joined_here = not ray.is_initialized()
    if joined_here:
        address = runtime.ray_address()
        # A cluster knows its own size; one that is started here gets OVSEG_WORKERS places.
        start = {"num_cpus": runtime.workers(), "include_dashboard": False}
        ray.init(address, log_to_driver=False, **({} if address else start))
    try:
        gpu = runtime.device().type == "cuda"
        task = ray.remote(num_cpus=1, num_gpus=1 if gpu else 0, max_retries=3)(_in_folder)
        places = ray.cluster_resources().get("GPU" if gpu else "CPU", 1)
        yield from _bounded(ray, task.remote, make, missing, max(1, int(2 * places)))
    finally:
        if joined_here:
            ray.shutdown()


def _ray() -> Any:
    os.environ.setdefault("RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO", "0")
    try:
        import ray
    except ModuleNotFoundError as error:
        raise UserError(
            "OVSEG_ENGINE=ray needs Ray, which is not installed: pip install -e '.[cluster]', "
            "or unset OVSEG_ENGINE"
        ) from error
    return ray


def _bounded(
    ray: Any, start: Callable[..., Any], make: Any, missing: dict[int, list[T]], max_running: int
) -> Iterator[Any]:
    waiting = iter(missing.items())
    running: list[Any] = []
    while True:
        while len(running) < max_running and (entry := next(waiting, None)):
            running.append(start(os.getcwd(), make, *entry))
        if not running:
            return
        done, running = ray.wait(running, num_returns=1)
        try:
            yield ray.get(done[0])
        except ray.exceptions.RayTaskError as error:
            raise error.cause from error


def _in_folder(folder: str, make: Callable[[int, list[T]], Any], index: int, items: list[T]) -> Any:
    set_up()
    os.chdir(folder)  # relative paths mean the same everywhere
    return make(index, items)
