"""Stage `evaluate@<set>`: every branch, every CLIP and both oracles on one evaluation set.

    python -m stages.evaluate --set world-open --dataset data/dataset --segmenter data/segmenter \\
        --base data/base_clip --first data/finetune/first --second data/finetune/second \\
        --out data/evaluate/world-open --metrics data/metrics/evaluate-world-open.json

Writes classes.csv, branches.csv, sweep.csv, grid.csv, rejects.parquet and overlays/. Sets of the
same pictures with the same parameters are counted in one pass over these: in shards under
`--counts`, beside the outputs, from which a killed run goes on and the other sets' stages read.
"""

import json
from pathlib import Path

from rich.console import Console

from pipeline.core.errors import UserError
from pipeline.core.files.atomic import write_text
from pipeline.core.files.places import OutFile, OutFolder
from pipeline.core.stage import run_stage
from pipeline.evaluate.count import count_sets, counted_by, need_pictures, same_pictures
from pipeline.evaluate.report import write_report
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
    counts: Path = Path("data/counts"),
) -> None:
    sets = load_params(params, "evaluate").sets
    if set not in sets:
        raise UserError(f"{params}: evaluate.sets has no {set}; it has {', '.join(sets)}")
    settings = sets[set]
    alike = [name for name in sets if counted_by(sets[name]) == counted_by(settings)]
    together = same_pictures(dataset, set, alike)
    set_files = [dataset / "sets" / f"{name}.json" for name in together]
    clips = {"base": base, "first": first, "second": second}
    evaluations, comparison = count_sets(set_files, segmenter, clips, settings, counts)
    at = together.index(set)
    need_pictures(evaluations[at], set_files[at])
    measured = write_report(out, evaluations[at], comparison.sets[at], list(clips), settings)
    columns = ensemble_columns(["base", "second"], settings)
    draw_sheets(out / "overlays", comparison, at, columns, settings.overlays)
    write_text(metrics, json.dumps(measured, indent=1) + "\n")
    Console().print(results_table(set, measured))


if __name__ == "__main__":
    run_stage(main)
