"""Stage `watch@<name>`: see whether the files of a downloaded data set, or your own, have changed.

    python -m stages.watch --name own --out data/watch/own.json

Run at every `dvc repro` for the names in `dataset.watch`; see pipeline/data/watch.py. Writes what
it found; when that is as before, nothing after it runs.
"""

from pathlib import Path

from pipeline.data.watch import survey, write_survey
from pipeline.params import load_params
from pipeline.places import OutFile
from pipeline.progress import report
from pipeline.stage import run_stage


def main(name: str, out: OutFile, params: Path = Path("params.yaml")) -> None:
    wanted = load_params(params, "dataset")
    found = survey(name, wanted.root, wanted.source)
    write_survey(out, found)
    report(f"{name}: {found.files:,} files, {found.size / 2**20:,.1f} MiB")


if __name__ == "__main__":
    run_stage(main)
