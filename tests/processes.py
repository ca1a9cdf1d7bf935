"""Programs of their own, for tests that kill or interrupt them: each in a session of its own."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path

import psutil

ROOT = Path(__file__).resolve().parents[1]
PATIENCE = 300.0  # seconds: the machine may be busy


def wait_for(happened: Callable[[], bool], what: str) -> None:
    """Look until something has happened; fail after PATIENCE."""
    end = time.monotonic() + PATIENCE
    while not happened():
        assert time.monotonic() < end, f"waited {PATIENCE:.0f} s for {what}"
        time.sleep(0.05)


class Program:
    """A running `python ...`; its output goes to a file, so that no pipe fills up."""

    def __init__(self, folder: Path, *arguments: str, **environment: str) -> None:
        self.output = folder / f"output-{time.monotonic_ns()}.txt"
        common = {"PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1", "OVSEG_DEVICE": "cpu"}
        with open(self.output, "w") as file:
            self.process = subprocess.Popen(
                [sys.executable, *arguments], cwd=folder, env=os.environ | common | environment,
                stdout=file, stderr=subprocess.STDOUT, start_new_session=True,
                # A shell lets what it runs in the background ignore Ctrl-C, and so these tests.
                preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
            )  # fmt: skip

    def said(self) -> list[str]:
        """The lines printed so far."""
        return self.output.read_text().splitlines()

    def children(self) -> list[psutil.Process]:
        """All processes below this one, multiprocessing's own helper left out."""
        try:
            below = psutil.Process(self.process.pid).children(recursive=True)
        except psutil.NoSuchProcess:
            return []
        return [child for child in below if "resource_tracker" not in " ".join(_command(child))]

    def wait_for(self, happened: Callable[[], bool], what: str) -> None:
        """Look until something has happened; fail when the program ends before."""

        def happened_yet() -> bool:
            if happened():
                return True
            assert self.process.poll() is None, f"ended before {what}:\n" + self.output.read_text()
            return False

        wait_for(happened_yet, what)

    def interrupt(self) -> None:
        """Ctrl-C: the signal reaches every process of the session's foreground group."""
        os.killpg(self.process.pid, signal.SIGINT)

    def end(self) -> int:
        """Wait for the end; the exit status, negative for a signal."""
        return self.process.wait(PATIENCE)


@contextmanager
def running(folder: Path, *arguments: str, **environment: str) -> Iterator[Program]:
    """A program that is certainly gone in the end, with all its processes."""
    program = Program(folder, *arguments, **environment)
    seen: list[psutil.Process] = []
    try:
        yield program
        seen = program.children()
    finally:
        for process in [*seen, *program.children(), psutil_of(program)]:
            if process is not None:
                try:
                    process.kill()
                except psutil.NoSuchProcess:
                    pass
        program.process.wait()


def psutil_of(program: Program) -> psutil.Process | None:
    try:
        return psutil.Process(program.process.pid)
    except psutil.NoSuchProcess:
        return None


def gone(processes: list[psutil.Process]) -> bool:
    """True when none of them runs any more."""
    return not any(p.is_running() and p.status() != psutil.STATUS_ZOMBIE for p in processes)


def end_with_all_below(program: Program, act: Callable[[], None]) -> int:
    """Do what shall end a program with two workers or more; its exit status, once it and all that
    ran below it are gone."""
    below = program.children()
    assert len(below) >= 2
    act()
    status = program.end()
    wait_for(lambda: gone(below), "the end of all processes below the program")
    return status


def interrupt(program: Program, all_processes: bool) -> int:
    """Ctrl-C, which reaches every process of the terminal, or `kill -INT` of the one; its exit
    status, as above."""
    one = partial(program.process.send_signal, signal.SIGINT)
    return end_with_all_below(program, program.interrupt if all_processes else one)


def _command(process: psutil.Process) -> list[str]:
    try:
        return process.cmdline()
    except psutil.NoSuchProcess:
        return []
