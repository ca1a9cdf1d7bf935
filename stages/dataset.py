"""Stage `dataset`: the pictures, captions, label maps and evaluation sets all other stages read.

    python -m stages.dataset --watched data/provenance/dataset.json --out data/dataset \\
        --metrics data/metrics/dataset.json

Draws the embedded OpenMoji world, or checks and indexes a COCO folder or a folder of your own; see
pipeline/data/prepare.py. Writes dataset.json, train.parquet, val.parquet, sets/, labels/ (converted
label maps), rejects.parquet and watched.json (what stage `provenance` found in the data sets of
`dataset.watch`, so that changed pictures make this folder and all that is made of it out of date).
"""

import json
from pathlib import Path

from pipeline.core.files.atomic import write_text
from pipeline.core.files.places import OutFile, OutFolder
from pipeline.core.progress import report
from pipeline.core.stage import run_stage
from pipeline.data.benchmarks import BENCHMARKS
from pipeline.data.prepare import prepare
from pipeline.params.sections import load_params
from pipeline.provenance.collect import read_watched


def main(
    out: OutFolder,
    metrics: OutFile,
    params: Path = Path("params.yaml"),
    watched: Path = Path("data/provenance/dataset.json"),
) -> None:
    settings = load_params(params, "dataset")
    found = read_watched(watched) if settings.watch else {}
    counts = prepare(settings.source, settings.root, settings.sets, settings, out)
    write_text(out / "watched.json", json.dumps(found, indent=1) + "\n")  # later stages see it
    write_text(metrics, json.dumps(counts, indent=1) + "\n")
    for split in ("train", "val"):
        report(f"{split}: " + ", ".join(f"{n} {what}" for what, n in counts[split].items()))
    if not counts["train"]["label_maps"]:
        report("no label maps to train a segmenter with: set segmenter.source to checkpoint")
    report("evaluation sets: " + ", ".join(_size(*item) for item in counts["sets"].items()))
    for reason, number in counts["rejects"].items():
        report(f"left out, {reason}: {number} (listed in {out / 'rejects.parquet'})")


def _size(name: str, pictures: int) -> str:
    """Return how many pictures a set has, and of how many where it is a benchmark and lacks
    some."""
    official = BENCHMARKS[name].official if name in BENCHMARKS else pictures
    return f"{name} ({pictures:,}" + (f" of {official:,})" if pictures < official else ")")


if __name__ == "__main__":
    run_stage(main)
