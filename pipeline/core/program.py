"""What a program of ours sets for its whole process. Importing the package sets none of it.

Stages (stages/__init__.py), the command line, worker processes and the tests call `set_up` first.
A program of a user's that wants our numbers to the last bit calls it, too, or sets the environment
variable itself: docs/numerics.md.
"""

import os
import sys
import warnings


def set_up() -> None:
    """Make results independent of the batch, and be silent about what no user could act on.

    Left to itself, MKL cuts long sums into pieces by the number of rows and threads: a region's
    logits would depend on how many others share its batch. MKL reads MKL_CBWR when it first
    calculates, so this comes before the first matrix product. A value that is set already stays.

    fvcore, under detectron2, compiles a loss when it is imported, of which torch warns.
    """
    os.environ.setdefault("MKL_CBWR", "AUTO,STRICT")
    for kind in (FutureWarning, DeprecationWarning):
        warnings.filterwarnings("ignore", r".torch\.jit\.script. is deprecated", kind)


def read_names_as_utf8() -> None:
    """Start this program again, in Python's UTF-8 mode, if the locale has it read file names in
    another encoding: "Käse.jpg" in a caption would not be the file Käse.jpg. Call it first.

    Processes that it starts have the mode, too. What is printed keeps the encoding of the locale.
    """
    tried = os.environ.get("PYTHONUTF8") == "1" or sys.flags.ignore_environment
    if sys.getfilesystemencoding() == "utf-8" or tried:
        return
    if sys.stdout is not None:
        os.environ.setdefault("PYTHONIOENCODING", sys.stdout.encoding)
    os.environ["PYTHONUTF8"] = "1"
    os.execv(sys.executable, sys.orig_argv)
