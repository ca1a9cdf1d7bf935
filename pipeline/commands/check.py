"""`ovseg check`: what the downloaded data sets, or a folder of your own, are good for."""

from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING

from tyro.conf import Positional

if TYPE_CHECKING:
    from pipeline.data.check import Checked


def check(
    root: Positional[Path | None] = None, own: Path | None = None, quick: bool = False
) -> None:
    """Read a data root, or a folder of your own, and say what was understood and what is wrong.

    Everything goes through the code of stage `dataset`, pictures and label maps are decoded: what
    that stage would leave out is named here, with the file, the entry, what was found and what is
    expected, of each kind of fault the first ten. Ends with exit code 1 when something is wrong,
    nothing is there, or nothing of a set can be used. A set that is not downloaded, or not all of
    it, is no fault.

    Args:
        root: folder with coco/, ADEChallengeData2016/, ADE20K_2021_17_01/ and VOCdevkit/; default:
            $DETECTRON2_DATASETS, else datasets.
        own: a folder of your own pictures and captions (pipeline/data/own.py says what belongs in
            it) to check instead.
        quick: count the files of a data root only, in seconds; full downloads are 150,000 pictures.
    """
    from pipeline.data.check import check_own

    if own is not None:
        _show([check_own(own)])
    else:
        _show_root(root, quick)


def _show(kinds: Iterable["Checked"]) -> None:
    """Print what was read; exit code 1 where something is wrong."""
    from pipeline.data.overview import counted, fault_lines, faults, gap_line

    wrong = False
    for kind in kinds:
        print(f"{kind.name}:")
        for line in kind.summary:
            print(line if line.startswith(" ") else f"  {line}")
        if gaps := gap_line(kind.rejects):
            print(f"  not all there: {gaps}")
        found = faults(kind.rejects)
        for line in fault_lines(str(kind.place), found):
            print(line)
        print(kind.error or f"{kind.name}: {counted(len(found), 'fault')} in {kind.place}")
        wrong = wrong or kind.wrong
    if wrong:
        raise SystemExit(1)


def _show_root(root: Path | None, quick: bool) -> None:
    from rich.console import Console
    from rich.markup import escape
    from rich.table import Table

    from pipeline.data.check import check_root, missing_parts, read_root
    from pipeline.data.root import data_root, root_fault

    chosen = data_root(root)
    rows = check_root(chosen)
    table = Table(title=escape(f"Data sets under {chosen}"), title_justify="left")
    table.add_column("set", no_wrap=True)
    table.add_column("images", justify="right", no_wrap=True)
    table.add_column("labels", justify="right", no_wrap=True)
    table.add_column("ready", overflow="fold")
    for row in rows:
        status = "[green]yes[/]" if row.ready else "[red]no[/]"
        parts = [escape(part.path) for part in row.missing]
        note = (
            "\n".join([f"{status}, missing", *parts]) if parts else f"{status}, {escape(row.note)}"
        )
        table.add_row(row.name, f"{row.images:,}", f"{row.labels:,}", note)
    console = Console()
    if not console.is_terminal:
        console.width = 100
    console.print(table)
    if fault := root_fault(chosen):
        print(f"{chosen}: nothing is there{fault}")
    for line in missing_parts(rows, chosen):
        print(f"missing: {line}")
    if not any(row.images or row.labels for row in rows):
        raise SystemExit(1)
    _show(read_root([row for row in rows if row.broken or not quick], chosen))
