"""Errors addressed to the user: bad input, a missing file, a setting that cannot work here.

Whatever else is raised is a fault of the program and keeps its stack trace. UserError is a
ValueError, so that a caller from Python may catch either.
"""

import errno
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager


class UserError(ValueError):
    """Input that cannot be used. The text says what was found, where, what was expected and what
    to do. Commands print it as one line and exit with status 2."""


class MissingFileError(UserError, FileNotFoundError):
    """A file or folder that the user named, or that an earlier stage should have written, is not
    there."""


STORAGE_ERRORS = frozenset(
    {
        errno.EACCES, errno.EPERM, errno.EROFS, errno.ENOSPC, errno.EDQUOT, errno.EFBIG,
        errno.ENOTDIR, errno.EISDIR, errno.ENAMETOOLONG, errno.ELOOP, errno.EIO, errno.ESTALE,
        errno.EMFILE, errno.ENFILE, errno.EEXIST,
    }
)  # fmt: skip
"""Codes of operating-system errors caused by the user's disk or rights, not by our code."""


RERUN = "run the stage that writes it again (dvc repro --force --single-item STAGE)"
"""What to do about a damaged file that a stage wrote."""


def user_message(error: BaseException) -> str | None:
    """Return the line to print for an error of the user's, None for a fault of the program.

    Errors of the user's are UserError and operating-system errors about the place that is written
    or read (full, read-only, no folder); the latter give path and reason.
    """
    if isinstance(error, UserError):
        return str(error)
    if isinstance(error, OSError) and error.errno in STORAGE_ERRORS:
        reason = os.strerror(error.errno)
        places = [os.fsdecode(p) for p in (error.filename, error.filename2) if p is not None]
        return f"{' -> '.join(places)}: {reason}" if places else reason
    return None


@contextmanager
def one_line_errors(program: str) -> Iterator[None]:
    """End a program whose user made a mistake with `program: message` and status 2. Anything else
    is a fault of the program and keeps its stack trace."""
    try:
        yield
    except Exception as error:
        message = user_message(error)
        if message is None:
            raise
        print(f"{program}: {message}", file=sys.stderr)
        raise SystemExit(2) from None
