"""Progress of anything that takes more than a few seconds.

On a terminal: a bar with rate and time left. Elsewhere (logs, CI): a plain line every five
seconds and a closing one.
"""

import sys
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import TextIO, TypeVar

from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    ProgressColumn,
    Task,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)
from rich.text import Text

T = TypeVar("T")
LINE_SECONDS = 5.0


def track(iterable: Iterable[T], total: int, description: str) -> Iterator[T]:
    """Yield from `iterable` and show how many of `total` items are done."""
    with counting(total, description) as advance:
        for item in iterable:
            yield item
            advance(1)


@contextmanager
def counting(total: int, description: str) -> Iterator[Callable[[int], None]]:
    """Yield `advance`; call `advance(n)` whenever n more of `total` units are done."""
    shown = _bar if sys.stderr.isatty() else _lines
    with shown(total, description, sys.stderr) as advance:
        yield advance


def report(text: str) -> None:
    """Print the closing lines of a stage."""
    print(text, flush=True)


class _Rate(ProgressColumn):
    def render(self, task: Task) -> Text:
        return Text(f"{task.speed:.3g}/s" if task.speed else "", style="progress.data.speed")


@contextmanager
def _bar(total: int, description: str, stream: TextIO) -> Iterator[Callable[[int], None]]:
    columns = (
        TextColumn("{task.description}", markup=False), BarColumn(), MofNCompleteColumn(), _Rate(),
        TimeElapsedColumn(), TextColumn("left"), TimeRemainingColumn(),
    )  # fmt: skip
    with Progress(*columns, console=Console(file=stream)) as progress:
        task = progress.add_task(description, total=total)
        yield lambda n: progress.advance(task, n)


@contextmanager
def _lines(total: int, description: str, stream: TextIO) -> Iterator[Callable[[int], None]]:
    start = last = time.monotonic()
    done = 0

    def advance(n: int) -> None:
        nonlocal done, last
        done += n
        now = time.monotonic()
        if now - last >= LINE_SECONDS and done < total:
            last = now
            rate = done / (now - start)
            left = (total - done) / rate if rate else float("inf")
            _print(f"{description}: {done}/{total}, {rate:.3g}/s, {_clock(left)} left", stream)

    yield advance
    seconds = time.monotonic() - start
    rate = f", {done / seconds:.3g}/s" if seconds > 0 and done else ""
    _print(f"{description}: {done}/{total} in {_clock(seconds)}{rate}", stream)


def _print(line: str, stream: TextIO) -> None:
    print(line, file=stream, flush=True)


def _clock(seconds: float) -> str:
    if seconds == float("inf"):
        return "?"
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02d}:{rest:02d}" if hours else f"{minutes}:{rest:02d}"
