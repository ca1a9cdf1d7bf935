"""The command line, `ovseg` or `python -m pipeline`: a list of small commands.

Each command is a function in `pipeline/commands/`; its arguments and docstring make up its help.
A command imports what it needs when it runs, so that help appears at once.
"""

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
from pipeline.core.errors import one_line_errors
from pipeline.core.files.places import checks_places
from pipeline.core.program import read_names_as_utf8, set_up
from pipeline.core.streams import ready_streams

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

    As in `run_stage`: anything but an error of the user's keeps its stack trace.
    """
    read_names_as_utf8()
    set_up()
    ready_streams()
    try:
        with one_line_errors("ovseg"):
            tyro.extras.subcommand_cli_from_dict(
                {name: checks_places(command) for name, command in COMMANDS.items()},
                prog="ovseg",
                description="Open-vocabulary segmentation.",
                args=arguments,
            )
    except KeyboardInterrupt:
        print("ovseg: interrupted", file=sys.stderr)
        raise SystemExit(130) from None
