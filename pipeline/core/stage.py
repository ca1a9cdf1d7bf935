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
from pipeline.core.program import read_names_as_utf8
from pipeline.core.streams import ready_streams

INTERRUPTED = "interrupted; a rerun goes on from what is finished"


def run_stage(main: Callable[..., None], first: Callable[[], None] | None = None) -> None:
    """Call `first`, then `main` with the flags that its signature names (`--out data/pairs`).

    Output paths and every OVSEG_... variable are checked before `main` starts. The folder that
    `--out` names is locked while it runs, so that a second run of the stage ends with an error.
    Errors of the user's (`core/errors.py`) are printed as one line, exit status 2; Ctrl-C prints
    one line, exit status 130; anything else is a fault of the program and keeps its stack trace. A
    stage that DVC started ends with DVC. Of several training processes none prints its error: the
    process that started them reports the first one, since the others fail in consequence.
    """
    read_names_as_utf8()
    ready_streams()
    try:
        end_with_dvc()
        if "torch" in sys.modules:  # without it no variable is read; importing it takes a second
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
    """Wrap `main` to hold the lock of its `out`; of several training processes the first does."""
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
