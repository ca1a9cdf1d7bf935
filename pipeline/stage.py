"""How a stage starts: flags from the command line, and faults of the user told in one line."""

import sys
import traceback
from collections.abc import Callable
from pathlib import Path

import tyro

HERE = Path(__file__).resolve().parents[1]
OURS = (HERE / "pipeline", HERE / "stages")


def run_stage(main: Callable[..., None], first: Callable[[], None] | None = None) -> None:
    """Call `main` with the flags that its signature names (`--out data/pairs`), `first` before it.

    A ValueError or FileNotFoundError that this project raised speaks to the user: it is printed
    without a stack trace and the exit status is 2. Anything else is a fault of the program.
    """
    try:
        if first is not None:
            first()
        tyro.cli(main)
    except (ValueError, FileNotFoundError) as error:
        if not meant_for_user(error):
            raise
        print(f"error: {error}", file=sys.stderr)
        raise SystemExit(2) from None


def meant_for_user(error: Exception) -> bool:
    """True when the line that raised it is this project's, not a library's under it."""
    last = traceback.extract_tb(error.__traceback__)[-1]
    return any(Path(last.filename).resolve().is_relative_to(folder) for folder in OURS)
