"""The tables at the end of `make repro`: what the stages counted and how well the model does.

Reads the metrics files under data/metrics and computes nothing.
`python -m pipeline.evaluate.summary [FOLDER]` prints it again at any time.
"""

import json
import sys
from pathlib import Path

from rich.console import Console
from rich.table import Table
from rich.text import Text

from pipeline.core.errors import MissingFileError, UserError, one_line_errors
from pipeline.core.streams import ready_streams

BRANCHES = {"oracle_masks": "true masks", "clip": "CLIP only", "ensemble": "ensemble"}
EVALUATION = "evaluate-"
"""What the names of evaluations' metrics files begin with; the set follows."""
MEANS = ("miou_legacy", "miou_current", "hiou_legacy", "fwiou", "pixel_accuracy")
HEADINGS = ("mIoU\nlegacy", "mIoU\ncurrent", "hIoU\nlegacy", "\nfwIoU", "pixel\naccuracy")


def results_table(name: str, metrics: dict) -> Table:
    """Return the table of one evaluation set: every branch of every CLIP, in percent.

    metrics: the content of `data/metrics/evaluate-<set>.json`.
    """
    about = metrics["set"]
    title = f"{name}: {about['images']} pictures, {about['classes']} classes"
    table = Table(title=Text(title), title_justify="left")
    table.add_column("", no_wrap=True)
    for heading in HEADINGS:
        table.add_column(heading, justify="right")
    _add(table, "segmenter only", metrics["segmenter"])
    _add(table, "segmenter, true names", metrics["oracle_names"])
    for clip, branches in metrics.items():
        if clip in ("set", "segmenter", "oracle_names"):
            continue
        table.add_section()
        for key, words in BRANCHES.items():
            _add(table, f"{clip} CLIP, {words}", branches[key])
    return table


def stage_table(files: dict[str, dict]) -> Table:
    """Return the table of what every stage counted.

    files: stage name to the content of its metrics file.
    """
    table = Table("stage", "metric", title="stages", title_justify="left")
    table.add_column("value", justify="right")
    for stage, metrics in files.items():
        table.add_section()
        for key, value in flat(metrics).items():
            table.add_row(*map(Text, (stage, key, _number(value))))
    return table


def flat(metrics: dict, prefix: str = "") -> dict:
    """Return nested metrics as one level, keys joined by dots."""
    joined: dict = {}
    for key, value in metrics.items():
        if isinstance(value, dict):
            joined |= flat(value, f"{prefix}{key}.")
        else:
            joined[prefix + key] = value
    return joined


def collect(folder: Path) -> tuple[dict[str, dict], dict[str, dict]]:
    """Read (stage metrics, evaluation metrics) in `folder`, by stage and by evaluation set."""
    stages, sets = {}, {}
    for path in sorted(folder.glob("*.json")):
        metrics = _read(path)
        if path.stem.startswith(EVALUATION):
            sets[path.stem.removeprefix(EVALUATION)] = metrics
        else:
            stages[path.stem] = metrics
    return stages, sets


def _read(path: Path) -> dict:
    try:
        metrics = json.loads(path.read_text(encoding="utf-8"))
    except ValueError as error:
        raise UserError(f"{path}: not JSON ({error}); run its stage again") from error
    if not isinstance(metrics, dict):
        raise UserError(f"{path}: expected a JSON object of metrics; run its stage again")
    return metrics


def print_summary(folder: Path, console: Console) -> None:
    """Print all tables; MissingFileError where nothing was evaluated yet."""
    stages, sets = collect(folder)
    if not sets:
        raise MissingFileError(
            f"{folder}: no {EVALUATION}*.json there; run `dvc repro` (or `make repro`) first"
        )
    if stages:
        console.print(stage_table(stages))
    for name, metrics in sets.items():
        console.print(results_table(name, metrics))


def _number(value: object) -> str:
    if isinstance(value, bool) or not isinstance(value, int | float):
        return str(value)
    return f"{value:,}" if isinstance(value, int) else f"{value:,.4g}"


def _add(table: Table, what: str, metrics: dict) -> None:
    values = (metrics.get(key) for key in MEANS)
    table.add_row(Text(what), *("-" if value is None else f"{value:.1f}" for value in values))


def main() -> None:
    """Entry point of `python -m pipeline.evaluate.summary`."""
    ready_streams()
    folder = Path(sys.argv[1] if len(sys.argv) > 1 else "data/metrics")
    with one_line_errors("summary"):
        print_summary(folder, Console())


if __name__ == "__main__":
    main()
