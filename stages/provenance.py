"""Stage `provenance`: what every stage depends on that DVC cannot see by itself.

    python -m stages.provenance --out data/provenance

Runs at every `dvc repro`, in about two seconds. Writes <stage>.json: hashes of the code that the
stage runs (without comments), releases of the libraries that it calculates with, hashes of the
files that its parameters name and of the data sets in `dataset.watch`. Where these are as before,
nothing reruns.
"""

from pathlib import Path

from pipeline.core.files.places import OutFile, OutFolder
from pipeline.core.progress import report
from pipeline.core.stage import run_stage
from pipeline.params.sections import load_all
from pipeline.provenance.collect import write_provenance


def main(
    out: OutFolder,
    params: Path = Path("params.yaml"),
    digests: OutFile = Path("data/digests.sqlite"),
) -> None:
    written = write_provenance(out, load_all(params), digests)
    report(f"provenance: what {len(written)} stages depend on is in {out}")


if __name__ == "__main__":
    run_stage(main)
