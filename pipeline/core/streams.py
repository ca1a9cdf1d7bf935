"""Standard output and standard error take whatever is printed, whoever listens.

A name may have letters that the terminal lacks, or bytes that are no text; who reads may have gone
(`ovseg check | head -1`) or never have been there (`>&-`). Work does not stop for any of these.
"""

import io
import os
import stat
import sys
from typing import TextIO


def ready_streams() -> None:
    """Make standard output and standard error so, for a program that has just started.

    Characters that a stream cannot write are written as \\\\xe9 or \\\\udce9 from then on.
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
    """A stream into a pipe. What is written after its reader has gone goes nowhere."""

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
    """In place of a stream that was closed, under its number, so that no file gets that one."""
    opened = os.open(os.devnull, os.O_WRONLY)  # the lowest number that is free
    os.set_inheritable(opened, opened == number)
    return open(opened, "w", encoding="utf-8", errors="backslashreplace")
