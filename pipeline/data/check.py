"""What is under a data root, in seconds: files are counted, none but lists of files is opened.

Also the words for what is missing: each part with its expected path and official source, and what
can run without it.
"""

import glob
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from pipeline.data.benchmarks import BENCHMARKS
from pipeline.data.benchmarks.benchmark import Benchmark, Part, files_by_stem
from pipeline.data.coco import CAPTIONS_SOURCE, SOURCES, STUFF_SOURCE
from pipeline.data.root import root_fault
from pipeline.errors import MissingFileError, UserError

COCO_PICTURES = {"train2017": 118_287, "val2017": 5_000}


@dataclass(frozen=True)
class CheckRow:
    """One line of the table: captioned pictures to learn from, or an evaluation set."""

    name: str
    images: int  # picture files found
    labels: int  # label files found
    ready: bool
    note: str  # why not, or how much of the official set is there
    missing: tuple[Part, ...] = ()


def check_root(root: str | Path) -> list[CheckRow]:
    """COCO's two splits and every benchmark, found or not. An absent root has nothing ready."""
    root = Path(root)
    rows = [(f"coco {split}", partial(_check_coco, root, split)) for split in COCO_PICTURES]
    rows += [(name, partial(_check_benchmark, b, root)) for name, b in BENCHMARKS.items()]
    return [_readable(name, check) for name, check in rows]


def missing_parts(rows: Iterable[CheckRow], root: Path) -> list[str]:
    """A line per part that rows miss: where it is expected, what it is, its source, its users."""
    users: dict[str, list[str]] = {}
    parts: dict[str, Part] = {}
    for row in rows:
        for part in row.missing:
            parts.setdefault(part.path, part)
            users.setdefault(part.path, []).append(row.name)
    return [
        f"{root / path} ({part.holds}) for {', '.join(users[path])}; from {part.source}"
        + too_deep(root, path)
        for path, part in sorted(parts.items())
    ]


def too_deep(root: Path, path: str) -> str:
    """Where `path`, missing or without files, stands one folder too deep under `root`, as after
    unpacking an archive into a folder of its own name; as words to end a message with, or ""."""
    names = Path(path).parts
    for i in range(len(names)):
        above, below = root.joinpath(*names[:i]), "/".join(names[i:])
        for found in sorted(above.glob(f"*/{glob.escape(below)}")):
            place = found.relative_to(root)
            return f"; {place} is there: move it to {path}"
    folder = root / path
    for inside in sorted(p for p in folder.glob("*") if p.is_dir()):
        return f"; {path} holds the folder {inside.name}: move what is in it up to {path}"
    return ""


def require(names: Sequence[str], root: Path, coco: bool = False) -> None:
    """MissingFileError unless all of these can be prepared.

    The message names every missing part with its expected path and official source, and what is
    ready under the root.

    Args:
        names: of BENCHMARKS.
        root: the data root.
        coco: whether COCO's captioned pictures are needed as well.
    """
    rows = check_root(root)
    wanted = {*names, *((f"coco {split}" for split in COCO_PICTURES) if coco else ())}
    lacking = [row for row in rows if row.name in wanted and not row.ready]
    if not lacking:
        return
    lines = [f"missing: {line}" for line in missing_parts(lacking, root)]
    lines += [f"{row.name}: {row.note}" for row in lacking if not row.missing]
    ready = ", ".join(row.name for row in rows if row.ready) or "nothing"
    raise MissingFileError(
        f"under {root} there is not all that is needed{root_fault(root)}.\n  "
        + "\n  ".join(lines)
        + f"\nReady there: {ready}. To go on without a set, leave it out of dataset.sets and "
        "evaluate.sets; `ovseg check` shows the whole root. `source: openmoji` needs no download."
    )


def _readable(name: str, check: Callable[[], CheckRow]) -> CheckRow:
    """The row, which says so when a folder may not be read."""
    try:
        return check()
    except OSError as error:
        return CheckRow(name, 0, 0, False, f"cannot be read: {error.strerror}: {error.filename}")


def _check_coco(root: Path, split: str) -> CheckRow:
    pictures = Part(f"coco/{split}", f"{COCO_PICTURES[split]:,} pictures", SOURCES[split])
    captions = Part(f"coco/annotations/captions_{split}.json", "captions", CAPTIONS_SOURCE)
    labels = Part(
        f"coco/stuffthingmaps/{split}", "label maps; unzip into coco/stuffthingmaps", STUFF_SOURCE
    )
    images = files_by_stem(root, pictures.path, ".jpg")
    maps = files_by_stem(root, labels.path, ".png")
    missing = tuple(part for part in (pictures, captions) if not part.exists(root))
    ready = bool(images) and not missing
    none_found = f"no .jpg in {pictures.path}, from {pictures.source}"
    note = _note(missing, len(images), COCO_PICTURES[split], none_found)
    if ready and len(maps) < len(images):
        note += f"; label maps of {len(maps):,} in {labels.path}, from {labels.source}"
        note += "" if maps else too_deep(root, labels.path)
        if split == "train2017" and not maps:
            note += ": without them no segmenter can be trained"
    return CheckRow(f"coco {split}", len(images), len(maps), ready, note, missing)


def _check_benchmark(benchmark: Benchmark, root: Path) -> CheckRow:
    missing = tuple(benchmark.missing(root))
    try:
        listing = benchmark.list_pictures(root)
    except (UserError, OSError) as error:
        return CheckRow(benchmark.name, 0, 0, False, str(error), missing)
    both = len(listing.complete)
    places = " or ".join(
        f"{part.path}, from {part.source}{too_deep(root, part.path)}" for part in benchmark.parts
    )
    note = _note(missing, both, benchmark.official, f"no picture with its label map in {places}")
    return CheckRow(
        benchmark.name,
        len(listing.images),
        len(listing.labels),
        not missing and both > 0,
        note,
        missing,
    )


def _note(missing: Sequence[Part], found: int, official: int, none_found: str) -> str:
    if missing:
        return "missing " + ", ".join(part.path for part in missing)
    if not found:
        return none_found
    return "complete" if found >= official else f"{found:,} of {official:,} pictures"
