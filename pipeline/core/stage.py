"""Run a stage from the command line; user errors become one line on stderr and exit code 2."""

import os
import sys
from collections.abc import Callable
from functools import wraps
from pathlib import Path
from typing import Any

import tyro

from pipeline.core.errors import UserError, user_message
from pipeline.core.files import atomic
from pipeline.core.files.lock import only_writer
from pipeline.core.files.places import checks_places
from pipeline.core.processes.workers import end_with_dvc, launcher
from pipeline.core.streams import ready_streams

INTERRUPTED = "interrupted; a rerun goes on from what is finished"


def run_stage(main: Callable[..., None], first: Callable[[], None] | None = None) -> None:
    """Call `main` with the flags that its signature names (`--out data/pairs`), `first` before it.
    Where it writes, and every OVSEG_... variable, is looked at before it starts.

    An error of the user's (`core/errors.py`) is printed without a stack trace and the exit
    status is 2. What `--out` names is locked while `main` runs, so that a second run of the stage
    ends with such an error. Ctrl-C prints one line and exits with 130. Anything else is a fault of
    the program. A stage that DVC runs ends with DVC. One of several training processes leaves it to
    the process that started it to say what went wrong, since the others stumble over the same or
    over its end.
    """
    ready_streams()
    try:
        end_with_dvc()
        if "torch" in sys.modules:  # a stage without it reads no variable and takes a second
            from pipeline.core.precision import keep_float32
            from pipeline.core.processes.runtime import check_environment

            check_environment()
            keep_float32()
        if first is not None:
            first()
        tyro.cli(checks_places(_alone(main)))
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


def _alone(main: Callable[..., None]) -> Callable[..., None]:
    """`main`, holding the lock of its `out`; of the processes of one training the first does."""
    if os.environ.get("TORCHELASTIC_RUN_ID") and os.environ.get("RANK") != "0":
        return main

    @wraps(main)
    def locked(**flags: Any) -> None:
        out: Path | None = flags.get("out")
        if out is None:
            return main(**flags)
        with only_writer(out):
            atomic.clear(out)  # what a killed run on another machine left
            return main(**flags)

    return locked


def _record(error: Exception) -> None:
    """Leave error and stack trace where `pipeline.core.processes.distributed` finds them."""
    from torch.distributed.elastic.multiprocessing.errors import get_error_handler

    get_error_handler().record_exception(error)
