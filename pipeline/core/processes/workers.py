"""Processes that this one starts: they end with it and leave Ctrl-C to it; deaths are reported.

A worker that outlives its parent would go on writing into the stage's folder and hold the pipe of
`dvc repro | tail`. So every worker checks twice a second whether its parent still exists, however
that may have ended. (Linux could send a signal instead, but no other system does, and Linux sends
it already when the thread that started the worker ends.) Ctrl-C reaches all processes of a terminal
at once; workers block it, and the parent ends them and prints one line.
"""

import os
import re
import signal
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from multiprocessing import parent_process, resource_tracker
from multiprocessing.context import SpawnContext, SpawnProcess
from typing import Any

import psutil

from pipeline.core.errors import UserError
from pipeline.core.program import set_up

LAUNCHER = "OVSEG_LAUNCHER"
"""Environment variable of training processes: the process that started them."""
POLL_SECONDS = 0.5
SHELLS = {"sh", "bash", "dash", "zsh", "ksh", "fish"}
MEMORY = "most likely the machine ran out of memory"
KEPT = "What is finished is kept: a rerun goes on from there"

_task: Any = None  # in a worker: the shared number of the task at work, see `Worker`


def end_with(parent: int) -> None:
    """End this process as soon as its parent, process `parent`, is gone."""
    _end_unless(lambda: os.getppid() == parent)


def launcher() -> int | None:
    """Return the id of the process that started this one for a training in several, else None."""
    started_by = int(os.environ.get(LAUNCHER, os.getpid()))
    return None if started_by == os.getpid() else started_by


def end_with_dvc() -> None:
    """End this stage when the `dvc repro` that started it (if one did) is ended by any signal.

    DVC would leave its stages running, and its lock free for a second run. Between the two there
    may be the shell that DVC runs the command with (`sh -c "python -m stages..."`).
    """
    if "DVC_STAGE" not in os.environ:
        return
    above = psutil.Process().parents()
    dvc = next((process for process in above if process.name() not in SHELLS), None)
    if dvc is not None:
        _end_unless(lambda: _runs(dvc))


def _runs(process: psutil.Process) -> bool:
    try:
        return process.is_running() and process.status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


def _end_unless(expected: Callable[[], bool]) -> None:
    threading.Thread(target=_watch, args=(expected,), name="end with parent", daemon=True).start()


def _watch(expected: Callable[[], bool]) -> None:
    while expected():
        time.sleep(POLL_SECONDS)
    os._exit(1)


class Worker(SpawnProcess):
    """A fresh process that ends with this one and never sees Ctrl-C.

    task: shared number of the task it is working on, -1 for none.
    """

    task: Any

    def start(self) -> None:
        resource_tracker.ensure_running()  # else `start` does it, and lets interrupts through again
        before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})  # inherited for good
        try:
            super().start()
        finally:
            signal.pthread_sigmask(signal.SIG_SETMASK, before)

    def run(self) -> None:
        global _task
        _task = self.task
        parent = parent_process()
        assert parent and parent.pid, "a worker runs in a process that another one started"
        end_with(parent.pid)
        set_up()
        super().run()


class WorkerContext(SpawnContext):
    """Like `multiprocessing.get_context("spawn")`, but starts Workers and keeps a list of them.

    Workers are spawned, never forked: a fork of a process in which libraries run threads (torch,
    Arrow, OpenCV) can wait for ever for a lock that one of those threads held.
    """

    def __init__(self) -> None:
        self.started: list[Worker] = []

    # mypy: in the parent class this is the class of processes itself, which is called as this is.
    def Process(self, *args: Any, **kwargs: Any) -> Worker:  # type: ignore[override]  # noqa: N802
        worker = Worker(*args, **kwargs)
        worker.task = self.RawValue("q", -1)
        self.started.append(worker)
        return worker


class Pool(ProcessPoolExecutor):
    """A pool of Workers, used in a `with`, which waits for the running tasks.

    After an exception, waiting tasks are dropped; after Ctrl-C running ones are ended too. A worker
    killed from outside raises UserError, one that crashed RuntimeError; both name the worker and
    its task.
    """

    def __init__(
        self,
        workers: int,
        names: Sequence[str] = (),
        initializer: Callable[..., None] | None = None,
        initargs: tuple = (),
    ) -> None:
        """names: of the tasks, in the order in which they will be submitted, for messages."""
        self._workers = WorkerContext()
        self._names, self._submitted = names, 0
        super().__init__(workers, self._workers, initializer, initargs)

    def submit(self, fn: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Future:
        future = super().submit(_noted, self._submitted, fn, *args, **kwargs)
        self._submitted += 1
        return future

    def __exit__(self, kind: type | None, error: BaseException | None, trace: Any) -> None:
        if kind is not None and not issubclass(kind, Exception):
            for worker in self._workers.started:
                worker.terminate()
        self.shutdown(wait=True, cancel_futures=kind is not None)
        if isinstance(error, BrokenProcessPool) and (cause := self._death()) is not None:
            raise cause from error

    def _death(self) -> Exception | None:
        """Return the error for the worker that broke the pool (the pool then ended the others)."""
        ended = [
            (worker, exitcode) for worker in self._workers.started if (exitcode := worker.exitcode)
        ]
        ended.sort(key=lambda pair: pair[1] == -signal.SIGTERM)
        if not ended:
            return None
        worker, exitcode = ended[0]
        task = worker.task.value
        name = self._names[task] if 0 <= task < len(self._names) else f"task {task + 1}"
        who = f"worker {worker.pid}" + (f" ({name})" if task >= 0 else "")
        return death(who, exitcode, "set OVSEG_WORKERS to fewer")


def _noted(number: int, fn: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Any:
    """Call `fn` in a worker and publish the task's number meanwhile."""
    _task.value = number
    try:
        return fn(*args, **kwargs)
    finally:
        _task.value = -1


def death(who: str, exitcode: int, remedy: str) -> Exception:
    """Return the error for a process that ended with `exitcode` (negative: a signal).

    UserError if it was killed from outside, which is how running out of memory shows.
    """
    if exitcode >= 0:
        return RuntimeError(f"{who} ended with status {exitcode}")
    name = signal.Signals(-exitcode).name
    if exitcode == -signal.SIGKILL:
        return UserError(f"{who} was killed (SIGKILL): {MEMORY}; free some, or {remedy}. {KEPT}")
    if exitcode == -signal.SIGTERM:
        return UserError(f"{who} was ended from outside (SIGTERM). {KEPT}")
    return RuntimeError(f"{who} crashed ({name})")


DEAD_READER = re.compile(
    r"DataLoader worker \(pid(?:\(s\))? ([\d, ]+)\) (?:is killed by signal: Killed|exited unexpect)"
)


@contextmanager
def reading() -> Iterator[None]:
    """Turn, around a training, the death of a DataLoader process into a UserError that names it."""
    try:
        yield
    except RuntimeError as error:
        if (found := DEAD_READER.search(str(error))) is None:
            raise
        who, remedy = f"worker {found[1]} (reads pictures)", "set OVSEG_WORKERS to fewer"
        raise death(who, -signal.SIGKILL, remedy) from error
