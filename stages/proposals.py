"""Stage `proposals`: the segmenter's masks on every captioned picture.

    python -m stages.proposals --dataset data/dataset --segmenter data/segmenter \\
        --clip data/base_clip --out data/proposals

Writes shards/proposals-00000.parquet ..., rejects.parquet and metrics.json. A killed run goes on
with the shards that are missing.
"""

import json
from pathlib import Path

from pipeline.atomic import write_text
from pipeline.params import TEMPLATES, load_params
from pipeline.progress import report
from pipeline.proposals import ProposalSettings, collect_proposals
from pipeline.stage import run_stage


def main(
    dataset: Path, segmenter: Path, clip: Path, out: Path, params: Path = Path("params.yaml")
) -> None:
    chosen = load_params(params, "proposals").model_dump()
    split, shard_size = chosen.pop("split"), chosen.pop("shard_size")
    templates = TEMPLATES[load_params(params, "segmenter").training.templates]
    metrics = collect_proposals(
        dataset, segmenter, clip, out, split, templates, ProposalSettings(**chosen), shard_size
    )
    write_text(out / "metrics.json", json.dumps(metrics, indent=1) + "\n")
    report(f"{metrics['proposals']} proposals on {metrics['pictures']} pictures")


if __name__ == "__main__":
    run_stage(main)
