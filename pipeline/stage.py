"""Run a stage from the command line; user errors become one line on stderr and exit code 2."""

import sys
from collections.abc import Callable

import tyro

from pipeline.errors import UserError, user_message
from pipeline.workers import end_with_dvc, launcher

INTERRUPTED = "interrupted; a rerun goes on from what is finished"


def run_stage(main: Callable[..., None], first: Callable[[], None] | None = None) -> None:
    """Call `main` with the flags that its signature names (`--out data/pairs`), `first` before it.

    An error of the user's (see `pipeline.errors`) is printed without a stack trace and the exit
    status is 2. Ctrl-C prints one line and exits with 130. Anything else is a fault of the program.
    A stage that DVC runs ends with DVC. One of several training processes leaves it to the process
    that started it to say what went wrong, since the others stumble over the same or over its end.
    """
    try:
        end_with_dvc()
        if first is not None:
            first()
        tyro.cli(main)
    except KeyboardInterrupt:
        print(INTERRUPTED, file=sys.stderr)
        raise SystemExit(130) from None
    except Exception as error:
        message = user_message(error)
        if launcher() is not None:
            _record(error if message is None else UserError(message))
            raise SystemExit(1 if message is None else 2) from None
        if message is None:
            raise
        print(f"error: {message}", file=sys.stderr)
        raise SystemExit(2) from None


def _record(error: Exception) -> None:
    """Leave error and stack trace where `pipeline.distributed` finds them."""
    from torch.distributed.elastic.multiprocessing.errors import get_error_handler

    get_error_handler().record_exception(error)
