"""Check what is under a data root: in seconds by counting files, or by reading all of them.

Missing parts are described with their expected path and official source, and what can run without
them. Files are read by the functions that stage `dataset` calls, so that both find the same faults.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory

from pipeline.core.errors import MissingFileError, UserError
from pipeline.core.records import Reject
from pipeline.data.benchmarks import BENCHMARKS
from pipeline.data.benchmarks.benchmark import Benchmark, Part, files_by_stem
from pipeline.data.classes import load_class_list
from pipeline.data.coco import CAPTIONS_SOURCE, SOURCES, STUFF_SOURCE, read_coco
from pipeline.data.instances import TrueMasks, instances_file, object_faults
from pipeline.data.label_values import Occurrences
from pipeline.data.names import MAPS, PHOTOS
from pipeline.data.overview import (
    MAX_FAULTS,
    class_lines,
    doubt_lines,
    faults,
    object_lines,
    pictures_line,
)
from pipeline.data.own import read_own
from pipeline.data.root import root_fault, too_deep
from pipeline.data.sets import load_eval_set

STAGE = "dataset"
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
    broken: bool = False  # something is there, and none of it can be used


def check_root(root: str | Path) -> list[CheckRow]:
    """Check COCO's two splits and every benchmark. Under an absent root nothing is ready."""
    root = Path(root)
    rows = [(f"coco {split}", partial(_check_coco, root, split)) for split in COCO_PICTURES]
    rows += [(name, partial(_check_benchmark, b, root)) for name, b in BENCHMARKS.items()]
    return [_readable(name, check) for name, check in rows]


def missing_parts(rows: Iterable[CheckRow], root: Path) -> list[str]:
    """Describe each missing part in a line: expected path, content, source, sets that need it."""
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


def require(names: Sequence[str], root: Path, coco: bool = False) -> None:
    """Raise MissingFileError unless all of these can be prepared.

    The message names every missing part with its expected path and official source, and what is
    ready under the root.

    Args:
        names: of BENCHMARKS.
        root: the data root.
        coco: whether COCO's captioned pictures are needed as well.
    """
    rows = check_root(root)
    required = {*names, *((f"coco {split}" for split in COCO_PICTURES) if coco else ())}
    lacking = [row for row in rows if row.name in required and not row.ready]
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


@dataclass
class Checked:
    """What reading one kind of data gave.

    name: of the source, split or set; place: the folder that its rejects are relative to; summary:
    what was understood, as lines; error: why it cannot be read at all, empty if it can.
    """

    name: str
    place: Path
    summary: list[str] = field(default_factory=list)
    rejects: list[Reject] = field(default_factory=list)
    error: str = ""

    @property
    def wrong(self) -> bool:
        """Whether anything is wrong apart from gaps in a download."""
        return bool(self.error or faults(self.rejects))


def check_own(root: Path) -> Checked:
    """Read one's own folder as stage `dataset` does."""
    checked = Checked("own", root)
    try:
        data = read_own(root)
    except UserError as error:
        checked.error = str(error)
        return checked
    checked.rejects = data.rejects
    classes, held_out = data.dataset.classes, sum(r.label_path is not None for r in data.val)
    checked.summary = [
        f"to learn from: {pictures_line(data.train)}",
        f"held out: {pictures_line(data.val)}",
        *class_lines(classes, data.occurrences),
        *doubt_lines(classes),
    ]
    if data.unread:
        more = f" and {len(data.unread) - MAX_FAULTS} more" if data.unread[MAX_FAULTS:] else ""
        checked.summary.append(f"not read: {', '.join(data.unread[:MAX_FAULTS])}{more}")
    maps = sum(record.label_path is not None for record in data.train + data.val)
    if classes and not maps:
        checked.summary.append("classes.txt names classes, but there is no label map in masks/")
    named = "background" in "".join(classes[:1]).lower()
    if maps > 1 and len(classes) > 1 and data.occurrences.maps[0] == maps and not named:
        checked.summary.append(
            f"class 0 ({classes[0]}) is in every label map: is 0 your background? then add it as "
            "the first line of classes.txt"
        )
    if not any(record.label_path for record in data.train):
        checked.summary.append("no label maps to learn from: set segmenter.source to checkpoint")
    if not held_out:
        checked.summary.append(
            "no held-out picture has a label map: for the evaluation set own, list some in val.txt"
        )
    return checked


def read_root(rows: Iterable[CheckRow], root: Path) -> Iterator[Checked]:
    """Read everything under a data root that is ready, as stage `dataset` does, one kind of data
    after the other. Sets that share their files are read once; broken ones come with their error.
    """
    read = set()
    for row in rows:
        benchmark = BENCHMARKS.get(row.name)
        parts = benchmark.parts if benchmark else row.name
        if row.ready and parts not in read:
            read.add(parts)
            checked = Checked(row.name, root)
            try:
                if benchmark:
                    _read_benchmark(checked, benchmark)
                else:
                    _read_split(checked)
            except UserError as error:
                checked.error = str(error)
            yield checked
        elif row.broken and parts not in read:
            read.add(parts)
            yield Checked(row.name, root, error=f"{row.name}: {row.note}")


def _read_split(checked: Checked) -> None:
    split, stuff, occurrences = (
        checked.name.split()[-1],
        load_class_list("cocostuff"),
        Occurrences(),
    )
    checked.place = root = checked.place / "coco"
    records, checked.rejects = read_coco(
        root, split, label_map=stuff.label_map, occurrences=occurrences
    )
    checked.summary = [pictures_line(records), *class_lines(stuff.names, occurrences)]
    if split.startswith("val") and (instances := instances_file(root)) is not None:
        truth = TrueMasks(instances, STAGE)
        checked.rejects += object_faults(truth, records, STAGE)
        checked.summary += object_lines(truth.counts()) + doubt_lines(list(truth.names.values()))


def _read_benchmark(checked: Checked, benchmark: Benchmark) -> None:
    from pipeline.data.benchmarks.build import build_benchmark  # takes seconds, as it needs torch

    occurrences = Occurrences()
    with TemporaryDirectory() as folder:
        out = Path(folder)
        checked.rejects = build_benchmark(benchmark.name, str(checked.place), out, occurrences)
        eval_set = load_eval_set(out / "sets" / f"{benchmark.name}.json")
    checked.summary = [
        pictures_line(eval_set.images), *class_lines(eval_set.classes, occurrences)
    ]  # fmt: skip


def _readable(name: str, check: Callable[[], CheckRow]) -> CheckRow:
    """Make the row; a folder without read permission becomes a note in it."""
    try:
        return check()
    except OSError as error:
        note = f"cannot be read: {error.strerror}: {error.filename}"
        return CheckRow(name, 0, 0, False, note, broken=True)


def _check_coco(root: Path, split: str) -> CheckRow:
    pictures = Part(f"coco/{split}", f"{COCO_PICTURES[split]:,} pictures", SOURCES[split])
    captions = Part(f"coco/annotations/captions_{split}.json", "captions", CAPTIONS_SOURCE)
    labels = Part(
        f"coco/stuffthingmaps/{split}", "label maps; unzip into coco/stuffthingmaps", STUFF_SOURCE
    )
    images = files_by_stem(root, pictures.path, PHOTOS)
    maps = files_by_stem(root, labels.path, MAPS)
    missing = tuple(part for part in (pictures, captions) if not part.exists(root))
    ready = bool(images) and not missing
    none_found = (
        f"no .jpg in {pictures.path}, from {pictures.source}{too_deep(root, pictures.path)}"
    )
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
        return CheckRow(benchmark.name, 0, 0, False, str(error), missing, broken=True)
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
        broken=bool(not missing and listing.images and listing.labels and not both),
    )


def _note(missing: Sequence[Part], found: int, official: int, none_found: str) -> str:
    if missing:
        return "missing " + ", ".join(part.path for part in missing)
    if not found:
        return none_found
    return "complete" if found >= official else f"{found:,} of {official:,} pictures"
