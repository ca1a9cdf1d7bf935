"""Stage `pairs`: the base CLIP gives each noun of a caption its best-matching mask.

    python -m stages.pairs --dataset data/dataset --proposals data/proposals \\
        --nouns data/nouns --clip data/base_clip --out data/pairs --metrics data/metrics/pairs.json

Writes the shards pairs-00000.tar ..., index.parquet, rejects.parquet and plots/*.csv. A killed run
goes on with the shards that are missing.
"""

import json
from pathlib import Path

from pipeline.core.files.atomic import write_text
from pipeline.core.files.places import OutFile, OutFolder
from pipeline.core.progress import report
from pipeline.core.stage import run_stage
from pipeline.pairs.collect import collect_pairs
from pipeline.params.sections import load_params


def main(
    dataset: Path,
    proposals: Path,
    nouns: Path,
    clip: Path,
    out: OutFolder,
    metrics: OutFile,
    params: Path = Path("params.yaml"),
) -> None:
    settings = load_params(params, "pairs")
    counts = collect_pairs(dataset, proposals, nouns, clip, out, settings)
    write_text(metrics, json.dumps(counts, indent=1) + "\n")
    precision = counts["precision"]
    covered = "" if precision is None else f", {precision:.0%} of them cover their noun"
    report(f"{counts['pairs']} pairs, {counts['unique_nouns']} nouns{covered}")


if __name__ == "__main__":
    run_stage(main)
