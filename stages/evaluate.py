"""Stage `evaluate@<set>`: every branch, every CLIP and both oracles on one evaluation set.

    python -m stages.evaluate --set world-open --dataset data/dataset --segmenter data/segmenter \\
        --base data/base_clip --first data/finetune/first --second data/finetune/second \\
        --out data/evaluate/world-open --metrics data/metrics/evaluate-world-open.json

Writes classes.csv, branches.csv, sweep.csv, grid.csv, rejects.parquet and overlays/ to `out`.
"""

import json
import shutil
from pathlib import Path

from rich.console import Console

from pipeline.atomic import write_text
from pipeline.clip.store import load_clip
from pipeline.data.sets import load_eval_set
from pipeline.evaluation.look import Looker
from pipeline.evaluation.report import write_report
from pipeline.evaluation.run import evaluate
from pipeline.evaluation.settings import EvaluationSettings
from pipeline.evaluation.sheets import SheetWriter, ensemble_columns
from pipeline.params import TEMPLATES, load_params
from pipeline.runtime import device
from pipeline.segmenter.store import load_segmenter
from pipeline.stage import run_stage
from pipeline.summary import results_table


def main(
    set: str,  # noqa: A002 - the flag's name
    dataset: Path,
    segmenter: Path,
    base: Path,
    first: Path,
    second: Path,
    out: Path,
    metrics: Path,
    params: Path = Path("params.yaml"),
) -> None:
    sets = load_params(params, "evaluate").sets
    if set not in sets:
        raise ValueError(f"{params}: evaluate.sets has no {set}; it has {', '.join(sets)}")
    chosen = sets[set].model_dump()
    overlays, templates = chosen.pop("overlays"), TEMPLATES[chosen.pop("templates")]
    settings = EvaluationSettings(**chosen, templates=templates)
    eval_set = load_eval_set(dataset / "sets" / f"{set}.json")
    folders = {"base": base, "first": first, "second": second}
    clips = {name: load_clip(folder, device()) for name, folder in folders.items()}
    model = load_segmenter(segmenter, device())
    looker = Looker(model, clips["base"], clips, eval_set.classes, eval_set.ignore_label, settings)

    shutil.rmtree(out / "overlays", ignore_errors=True)
    columns = ensemble_columns(["base", "second"], settings)
    draw = SheetWriter(out / "overlays", eval_set, columns, overlays)
    evaluation = evaluate(looker, eval_set, draw)
    measured = write_report(out, evaluation, eval_set, list(clips), settings)
    write_text(metrics, json.dumps(measured, indent=1) + "\n")
    Console().print(results_table(set, measured))


if __name__ == "__main__":
    run_stage(main)
