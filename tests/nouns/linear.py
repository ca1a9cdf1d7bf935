"""Whether the time a text takes grows with its length and no faster."""

import time
from collections.abc import Callable

SHORTEST = 0.01  # s of processor time; below that it is mostly noise


def assert_linear(read: Callable[[str], object], text: str) -> None:
    """Four times the text takes 4 times as long, not 16; tried anew when the machine was busy."""
    ratios = []
    for _ in range(4):
        ratios.append(_seconds(read, text * 4) / max(_seconds(read, text), SHORTEST))
        if ratios[-1] < 8:
            return
    raise AssertionError(f"four times {text[:20]!r}... takes {min(ratios):.1f} times as long")


def _seconds(read: Callable[[str], object], text: str) -> float:
    start = time.process_time()
    read(text)
    return time.process_time() - start
