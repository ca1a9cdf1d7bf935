"""Stage `dataset`: the pictures, captions, label maps and evaluation sets all other stages read.

    python -m stages.dataset --out data/dataset --metrics data/metrics/dataset.json

Draws the embedded OpenMoji world, or checks and indexes a COCO folder or a folder of your own; see
pipeline/data/prepare.py. Writes dataset.json, train.parquet, val.parquet, sets/, labels/ (converted
label maps) and rejects.parquet.
"""

import json
from pathlib import Path

from pipeline.atomic import write_text
from pipeline.data.prepare import prepare
from pipeline.params import load_params
from pipeline.progress import report
from pipeline.stage import run_stage
from pipeline.world.build import WorldSize


def main(out: Path, metrics: Path, params: Path = Path("params.yaml")) -> None:
    wanted = load_params(params, "dataset")
    world = WorldSize(
        train_scenes=wanted.train_scenes,
        val_scenes=wanted.val_scenes,
        side=wanted.side,
        least_objects=wanted.min_objects,
        most_objects=wanted.max_objects,
        closed_share=wanted.closed_share,
        seed=wanted.seed,
    )
    counts = prepare(wanted.source, wanted.root, wanted.sets, world, out)
    write_text(metrics, json.dumps(counts, indent=1) + "\n")
    for split in ("train", "val"):
        report(f"{split}: " + ", ".join(f"{n} {what}" for what, n in counts[split].items()))
    report("evaluation sets: " + ", ".join(f"{s} ({n})" for s, n in counts["sets"].items()))
    for reason, number in counts["rejects"].items():
        report(f"left out, {reason}: {number} (listed in {out / 'rejects.parquet'})")


if __name__ == "__main__":
    run_stage(main)
