"""Make standard output and standard error accept whatever is printed.

A name may have characters that the terminal cannot show, or bytes that are not text; the reader may
be gone (`ovseg check | head -1`) or never have existed (`>&-`). None of these stops the work.
"""

import io
import os
import stat
import sys
from typing import TextIO


def ready_streams() -> None:
    """Prepare both streams; call it when a program starts.

    From then on, characters that a stream cannot write become \\\\xe9 or \\\\udce9.
    """
    for number, name in ((1, "stdout"), (2, "stderr")):
        stream = getattr(sys, name)
        if stream is None:
            setattr(sys, name, _nowhere(number))
        elif _is_pipe(stream):
            setattr(sys, name, _Patient.like(stream))
        elif isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")


class _Patient(io.TextIOWrapper):
    """A stream into a pipe. What is written after its reader has gone is discarded."""

    @classmethod
    def like(cls, stream: io.TextIOWrapper) -> "_Patient":
        return cls(
            stream.buffer,
            stream.encoding,
            "backslashreplace",
            line_buffering=stream.line_buffering,
            write_through=stream.write_through,
        )

    def write(self, text: str) -> int:
        try:
            return super().write(text)
        except BrokenPipeError:
            self._go_nowhere()
            return len(text)

    def flush(self) -> None:
        try:
            super().flush()
        except BrokenPipeError:
            self._go_nowhere()

    def _go_nowhere(self) -> None:
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, self.fileno())
        os.close(nowhere)


def _is_pipe(stream: TextIO) -> bool:
    if not isinstance(stream, io.TextIOWrapper) or isinstance(stream, _Patient):
        return False
    try:
        mode = os.fstat(stream.fileno()).st_mode
    except OSError:  # no file at all
        return False
    return stat.S_ISFIFO(mode) or stat.S_ISSOCK(mode)


def _nowhere(number: int) -> TextIO:
    """Open the null device in place of a closed stream, so that no file gets its descriptor."""
    opened = os.open(os.devnull, os.O_WRONLY)  # the lowest number that is free
    os.set_inheritable(opened, opened == number)
    return open(opened, "w", encoding="utf-8", errors="backslashreplace")
