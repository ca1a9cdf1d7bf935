"""Stage `proposals`: the segmenter's masks on every captioned picture.

    python -m stages.proposals --dataset data/dataset --segmenter data/segmenter \\
        --out data/proposals --metrics data/metrics/proposals.json

Writes the shards proposals-00000.parquet ..., and rejects.parquet. A killed run goes on with the
shards that are missing.
"""

import json
from pathlib import Path

from pipeline.core.files.atomic import write_text
from pipeline.core.files.places import OutFile, OutFolder
from pipeline.core.progress import report
from pipeline.core.stage import run_stage
from pipeline.params.sections import load_params
from pipeline.proposals.collect import collect_proposals


def main(
    dataset: Path,
    segmenter: Path,
    out: OutFolder,
    metrics: OutFile,
    params: Path = Path("params.yaml"),
) -> None:
    settings = load_params(params, "proposals")
    counts = collect_proposals(dataset, segmenter, out, settings)
    write_text(metrics, json.dumps(counts, indent=1) + "\n")
    report(f"{counts['proposals']} proposals on {counts['pictures']} pictures")


if __name__ == "__main__":
    run_stage(main)
