"""`ovseg check`: what the downloaded data sets, or a folder of your own, are good for."""

from pathlib import Path

from tyro.conf import Positional


def check(root: Positional[Path | None] = None, own: Path | None = None) -> None:
    """Look through a data root in seconds and list what is ready, or check your own folder.

    Ends with exit code 1 when nothing is under the root, or when the folder given as --own has a
    wrong line or a picture that cannot be decoded.

    Args:
        root: folder with coco/, ADEChallengeData2016/, ADE20K_2021_17_01/ and VOCdevkit/; default:
            $DETECTRON2_DATASETS, else datasets.
        own: a folder of your own pictures and captions (pipeline/data/own.py says what belongs in
            it) to check line by line instead.
    """
    if own is None:
        _show_root(root)
        return
    from pipeline.data.own import broken_pictures, read_own

    data = read_own(own)
    data.rejects += broken_pictures(data)
    for reject in data.rejects:
        print(
            f"{own}/{reject.item}: {reject.reason}" + (f"; {reject.detail}" * bool(reject.detail))
        )
    pictures = data.train + data.val
    print(
        f"{own}: {len(data.train)} pictures to learn from, {len(data.val)} held out, "
        f"{sum(len(p.captions) for p in pictures)} captions, "
        f"{sum(p.label_path is not None for p in pictures)} label maps of "
        f"{len(data.dataset.classes)} classes, {len(data.rejects)} faults"
    )
    if data.rejects:
        raise SystemExit(1)


def _show_root(root: Path | None) -> None:
    from rich.console import Console
    from rich.markup import escape
    from rich.table import Table

    from pipeline.data.check import check_root, missing_parts
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
