"""The command line, `ovseg` or `python -m pipeline`: a list of small commands.

Each command is a function in `pipeline/commands/`; its arguments and docstring make up its help.
A command imports what it needs when it runs, so that help appears at once.
"""

import os
import sys
from collections.abc import Callable, Sequence

import tyro

from pipeline.commands.check import check
from pipeline.commands.demo import demo
from pipeline.commands.draw import draw
from pipeline.commands.export import export
from pipeline.commands.import_ import import_
from pipeline.commands.preset import preset
from pipeline.commands.segment import segment
from pipeline.stage import meant_for_user

COMMANDS: dict[str, Callable[..., None]] = {
    "segment": segment,
    "demo": demo,
    "check": check,
    "draw": draw,
    "preset": preset,
    "import": import_,
    "export": export,
}


def main(arguments: Sequence[str] | None = None) -> None:
    """Run a command. What the user got wrong ends in one line and exit code 2.

    As in `run_stage`: what a library raised under it is a fault of the program, with its trace.
    """
    try:
        tyro.extras.subcommand_cli_from_dict(
            COMMANDS, prog="ovseg", description="Open-vocabulary segmentation.", args=arguments
        )
        sys.stdout.flush()
    except BrokenPipeError:  # the reader has seen enough: `ovseg check | head`
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        raise SystemExit(1) from None
    except (ValueError, FileNotFoundError) as error:
        if not meant_for_user(error):
            raise
        print(f"ovseg: {error}", file=sys.stderr)
        raise SystemExit(2) from None
