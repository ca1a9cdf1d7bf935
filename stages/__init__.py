"""One module per DVC stage: read the paths and the params section, call the library, write."""

import sys
from types import TracebackType

from pipeline.core.program import set_up


def _show(kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> None:
    """Ctrl-C is one line also while a stage still imports its libraries."""
    if issubclass(kind, KeyboardInterrupt):
        print("interrupted", file=sys.stderr)
    else:
        sys.__excepthook__(kind, error, trace)


sys.excepthook = _show
set_up()
