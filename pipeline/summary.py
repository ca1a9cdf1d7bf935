"""The tables at the end of `make repro`: what the stages counted and how well the model does.

Reads what the stages left under data/ and computes nothing. `python -m pipeline.summary [DATA]`
prints it again at any time.
"""

import json
import sys
from pathlib import Path

from rich.console import Console
from rich.table import Table

BRANCHES = (
    ("oracle_masks", "true masks, CLIP names"),
    ("clip", "CLIP only"),
    ("ensemble", "ensemble"),
)
MEANS = ("miou_legacy", "miou_current", "hiou_legacy", "fwiou", "pixel_accuracy")
HEADINGS = ("mIoU legacy", "mIoU current", "hIoU legacy", "fwIoU", "pixel acc.")


def results_table(name: str, metrics: dict) -> Table:
    """One evaluation set: every branch of every CLIP, in percent.

    metrics: the content of `data/evaluate/<set>/metrics.json`.
    """
    about = metrics["set"]
    title = f"{name}: {about['images']} pictures, {about['classes']} classes"
    table = Table(title=title, title_justify="left")
    table.add_column("names by")
    table.add_column("branch")
    for heading in HEADINGS:
        table.add_column(heading, justify="right")
    _add(table, "segmenter", "segmenter only", metrics["segmenter"])
    _add(table, "truth", "proposals, true names", metrics["oracle_names"])
    for clip, branches in metrics.items():
        if clip in ("set", "segmenter", "oracle_names"):
            continue
        table.add_section()
        for key, words in BRANCHES:
            _add(table, clip, words, branches[key])
    return table


def stage_table(files: dict[str, dict]) -> Table:
    """What every stage counted. files: stage name to the content of its metrics file."""
    table = Table("stage", "metric", title="stages", title_justify="left")
    table.add_column("value", justify="right")
    for stage, metrics in files.items():
        table.add_section()
        for key, value in flat(metrics).items():
            table.add_row(stage, key, _number(value))
    return table


def flat(metrics: dict, prefix: str = "") -> dict:
    """Nested metrics as one level, keys joined by dots."""
    joined: dict = {}
    for key, value in metrics.items():
        if isinstance(value, dict):
            joined |= flat(value, f"{prefix}{key}.")
        else:
            joined[prefix + key] = value
    return joined


def collect(data: Path) -> tuple[dict[str, dict], dict[str, dict]]:
    """(stage metrics, evaluation metrics) found under `data`, by name."""
    stages, sets = {}, {}
    for path in sorted([*data.glob("*/metrics.json"), *data.glob("*/*/metrics.json")]):
        name = path.parent.relative_to(data)
        place, key = (sets, name.name) if name.parts[0] == "evaluate" else (stages, str(name))
        place[key] = json.loads(path.read_text(encoding="utf-8"))
    return stages, sets


def print_summary(data: Path, console: Console) -> None:
    """Print all tables; FileNotFoundError where nothing was evaluated yet."""
    stages, sets = collect(data)
    if not sets:
        raise FileNotFoundError(
            f"{data / 'evaluate'}: no metrics.json there; run `dvc repro` (or `make repro`) first"
        )
    if stages:
        console.print(stage_table(stages))
    for name, metrics in sets.items():
        console.print(results_table(name, metrics))


def _number(value: object) -> str:
    if isinstance(value, bool) or not isinstance(value, int | float):
        return str(value)
    return f"{value:,}" if isinstance(value, int) else f"{value:,.4g}"


def _add(table: Table, clip: str, branch: str, metrics: dict) -> None:
    values = (metrics.get(key) for key in MEANS)
    table.add_row(clip, branch, *("-" if value is None else f"{value:.1f}" for value in values))


def main() -> None:
    """Entry point of `python -m pipeline.summary`."""
    data = Path(sys.argv[1] if len(sys.argv) > 1 else "data")
    try:
        print_summary(data, Console())
    except FileNotFoundError as error:
        print(f"summary: {error}", file=sys.stderr)
        raise SystemExit(2) from None


if __name__ == "__main__":
    main()
