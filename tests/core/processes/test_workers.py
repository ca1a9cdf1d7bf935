"""Workers end with their parent, leave Ctrl-C to it, and their death is told.

Here with a bare pool, which starts fast; `tests/faults` has shards, readers, trainings and DVC.
"""

import os
import signal
import time

import pytest

from pipeline.core.processes.workers import Pool
from tests.processes import end_with_all_below, interrupt, running

SCRIPT = """
import os, sys, time
from pathlib import Path
from pipeline.core.errors import UserError
from pipeline.core.processes.workers import Pool

def work(number):
    Path(f"at-work-{os.getpid()}").touch()
    time.sleep(1000)

if __name__ == "__main__":
    try:
        with Pool(2, ["first", "second", "third"]) as pool:
            list(pool.map(work, range(3)))
    except KeyboardInterrupt:
        sys.exit("interrupted")
    except (UserError, RuntimeError) as error:
        sys.exit(f"{type(error).__name__}: {error}")
"""


@pytest.fixture
def busy(tmp_path):
    """A program with two workers at work."""
    (tmp_path / "script.py").write_text(SCRIPT)
    with running(tmp_path, "script.py") as program:
        program.wait_for(lambda: len(list(tmp_path.glob("at-work-*"))) == 2, "two workers")
        yield program


@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGTERM])
def test_they_end_with_their_parent_however_it_ends(busy, how):
    assert len(busy.children()) == 2
    end_with_all_below(busy, lambda: busy.process.send_signal(how))


@pytest.mark.parametrize("all_processes", [True, False])
def test_interrupted_only_the_parent_speaks_and_all_end(busy, all_processes):
    interrupt(busy, all_processes)
    assert busy.said() == ["interrupted"]


def test_interrupted_while_workers_start_only_the_parent_speaks(tmp_path):
    """A fresh worker imports for seconds, during which Python would answer with a stack trace."""
    slow = 'if __name__ != "__main__":\n    Path("importing").touch(); time.sleep(1)\n'
    head, tail = SCRIPT.split("from pipeline.core.errors", 1)
    (tmp_path / "script.py").write_text(f"{head}{slow}from pipeline.core.errors{tail}")
    with running(tmp_path, "script.py") as program:
        program.wait_for((tmp_path / "importing").exists, "a worker")
        program.interrupt()
        program.end()
        assert program.said() == ["interrupted"]


@pytest.mark.parametrize(
    ("how", "error"),
    [
        (signal.SIGKILL, "UserError: worker {} ({}) was killed (SIGKILL): most likely the machine"),
        (signal.SIGTERM, "UserError: worker {} ({}) was ended from outside (SIGTERM)"),
        (signal.SIGABRT, "RuntimeError: worker {} ({}) crashed (SIGABRT)"),
    ],
)
def test_a_killed_worker_is_named_with_its_task(busy, how, error):
    victim = busy.children()[0].pid
    os.kill(victim, how)
    busy.end()
    [line] = busy.said()
    assert any(line.startswith(error.format(victim, task)) for task in ("first", "second"))


def fail(number: int) -> None:
    raise LookupError(number)


def test_an_exception_of_a_task_comes_through_as_it_is():
    with pytest.raises(LookupError, match="7"), Pool(1) as pool:
        pool.submit(fail, 7).result()


def test_after_an_exception_waiting_tasks_are_dropped():
    with pytest.raises(LookupError), Pool(1) as pool:
        futures = [pool.submit(fail, 0), *(pool.submit(time.sleep, 0.01) for _ in range(500))]
        futures[0].result()
    assert any(future.cancelled() for future in futures)
