"""Stage `evaluate@<set>`: every branch, every CLIP and both oracles on one evaluation set.

    python -m stages.evaluate --set world-open --dataset data/dataset --segmenter data/segmenter \\
        --base data/base_clip --first data/finetune/first --second data/finetune/second \\
        --out data/evaluate/world-open --metrics data/metrics/evaluate-world-open.json

Writes classes.csv, branches.csv, sweep.csv, grid.csv, rejects.parquet, overlays/ and shards/, from
which a killed run goes on.
"""

import json
from pathlib import Path

from rich.console import Console

from pipeline.clip.templates import TEMPLATES
from pipeline.core.errors import UserError
from pipeline.core.files.atomic import write_text
from pipeline.core.files.places import OutFile, OutFolder
from pipeline.core.stage import run_stage
from pipeline.data.sets import load_eval_set
from pipeline.evaluate.count import count_set
from pipeline.evaluate.report import write_report
from pipeline.evaluate.settings import EvaluationSettings
from pipeline.evaluate.sheets import draw_sheets, ensemble_columns
from pipeline.evaluate.summary import results_table
from pipeline.params.sections import load_params


def main(
    set: str,  # noqa: A002 - the flag's name
    dataset: Path,
    segmenter: Path,
    base: Path,
    first: Path,
    second: Path,
    out: OutFolder,
    metrics: OutFile,
    params: Path = Path("params.yaml"),
) -> None:
    sets = load_params(params, "evaluate").sets
    if set not in sets:
        raise UserError(f"{params}: evaluate.sets has no {set}; it has {', '.join(sets)}")
    chosen = sets[set].model_dump()
    overlays, templates = chosen.pop("overlays"), TEMPLATES[chosen.pop("templates")]
    settings = EvaluationSettings(**chosen, templates=templates)
    set_file = dataset / "sets" / f"{set}.json"
    clips = {"base": base, "first": first, "second": second}
    evaluation, looker = count_set(set_file, segmenter, clips, settings, out / "shards")
    eval_set = load_eval_set(set_file)
    measured = write_report(out, evaluation, eval_set, list(clips), settings)
    columns = ensemble_columns(["base", "second"], settings)
    draw_sheets(out / "overlays", looker, eval_set, columns, overlays)
    write_text(metrics, json.dumps(measured, indent=1) + "\n")
    Console().print(results_table(set, measured))


if __name__ == "__main__":
    run_stage(main)
