"""Runs a stage and kills it with SIGKILL at a chosen moment of its writing.

    python -m tests.faults.dying 7 after stages.pairs --dataset ... --out ...

The moment is the seventh file that the stage (this process, not its workers) puts in its place by a
rename: "during" its writing (only half of it is there, under its temporary name), "before" the
rename or "after" it. With 0, nothing is killed and the number of files is written to files.txt.
"""

import os
import runpy
import signal
import sys
from pathlib import Path

from pipeline.evaluate import count


def main(number: int, moment: str, module: str, *arguments: str) -> None:
    rename, renamed = os.replace, []

    def dying(source, target, **options):
        renamed.append(target)
        here = len(renamed) == number
        if here and moment == "during":
            os.truncate(source, os.path.getsize(source) // 2)
        if here and moment != "after":
            os.kill(os.getpid(), signal.SIGKILL)
        rename(source, target, **options)
        if here:
            os.kill(os.getpid(), signal.SIGKILL)

    os.replace = dying
    count.SHARD_PICTURES = 2  # evaluation cuts its few pictures into several shards
    sys.argv = [module, *arguments]
    runpy.run_module(module, run_name="__main__")
    Path("files.txt").write_text(str(len(renamed)))


if __name__ == "__main__":
    main(int(sys.argv[1]), *sys.argv[2:])
