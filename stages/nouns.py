"""Stage `nouns`: the nouns of every caption, and every word that was dropped with its reason.

    python -m stages.nouns --dataset data/dataset --out data/nouns --metrics data/metrics/nouns.json

Writes the shards nouns-00000.parquet and drops-00000.parquet ..., rejects.parquet (captions without
a noun), vocabulary.csv and plots/commonest_nouns.csv. A killed run goes on with the shards that
are missing.
"""

import json
import time
from pathlib import Path

from pipeline.core.files.atomic import write_text
from pipeline.core.files.places import OutFile, OutFolder
from pipeline.core.progress import report
from pipeline.core.stage import run_stage
from pipeline.nouns.collect import collect_nouns
from pipeline.params.sections import load_params


def main(
    dataset: Path, out: OutFolder, metrics: OutFile, params: Path = Path("params.yaml")
) -> None:
    settings = load_params(params, "nouns")
    start = time.perf_counter()
    counts = collect_nouns(dataset, out, settings)
    speed = counts["captions"] / (time.perf_counter() - start)
    write_text(metrics, json.dumps(counts, indent=1) + "\n")
    report(
        f"{counts['nouns']} nouns, {counts['unique_nouns']} different ones, of "
        f"{counts['captions']} captions ({speed:.0f}/s); {counts['dropped']} words dropped"
    )


if __name__ == "__main__":
    run_stage(main)
