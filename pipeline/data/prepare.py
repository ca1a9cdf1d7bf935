"""Fill the data-set folder (pipeline/data/dataset.py): a source, and the evaluation sets.

openmoji: draws the embedded world and indexes it like any COCO folder.
coco: indexes an official COCO 2017 folder; its closed set is COCO-Stuff's 171 classes.
own: checks and indexes a folder of one's own (pipeline/data/own.py).
"""

import shutil
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from pipeline.core.errors import UserError
from pipeline.core.records import Reject, write_parquet
from pipeline.data.benchmarks import BENCHMARKS
from pipeline.data.benchmarks.build import build_benchmark
from pipeline.data.check import require
from pipeline.data.dataset import SPLITS, Dataset, read_split
from pipeline.data.root import data_root
from pipeline.data.sets import load_eval_set
from pipeline.data.sources import OWN_SETS, prepare_coco, prepare_openmoji, prepare_own
from pipeline.world.params import WorldParams


def prepare(
    source: str, root: str | None, sets: Sequence[str], world: WorldParams, out: Path
) -> dict:
    """Fill the folder `out`; label maps that an earlier run converted are kept if still needed.

    Args:
        source: "openmoji", "coco" or "own".
        root: data root (see pipeline/data/root.py); with "own", the folder itself, and benchmarks
            are then looked for under $DETECTRON2_DATASETS.
        sets: evaluation sets to prepare, of the source and of BENCHMARKS.
        world: size of the world, for the source "openmoji".
        out: the data-set folder.

    Returns:
        The counts: pictures, captions and label maps by split, pictures by evaluation set,
        rejects by reason. `rejects.parquet` has the rejects.

    Raises:
        UserError, MissingFileError: an unknown set, or missing or wrong files; the message says
            what is expected and where to get it.
    """
    _check_sets(source, sets)
    benchmarks = [name for name in sets if name in BENCHMARKS]
    benchmark_root = None if source == "own" else root
    if benchmarks or source == "coco":
        require(benchmarks, data_root(benchmark_root), coco=source == "coco")
    shutil.rmtree(out / "sets", ignore_errors=True)
    if source == "openmoji":
        dataset, rejects = prepare_openmoji(world, sets, out)
    elif source == "coco":
        dataset, rejects = prepare_coco(root, out)
    elif root is None:
        raise UserError("dataset.root = null: with source own, expected the folder of your data")
    else:
        dataset, rejects = prepare_own(root, sets, out)
    _delete_stale(out, source, sets)
    for name in benchmarks:
        rejects += build_benchmark(name, benchmark_root, out)
    write_parquet(out / "rejects.parquet", rejects, Reject)
    return _counts(dataset, rejects, sets, out)


def _check_sets(source: str, sets: Sequence[str]) -> None:
    allowed = (*OWN_SETS[source], *BENCHMARKS)
    for name in sets:
        if name not in allowed:
            raise UserError(
                f"dataset.sets: no set {name!r} with source {source}; there are "
                f"{', '.join(allowed)}"
            )


def _delete_stale(out: Path, source: str, sets: Sequence[str]) -> None:
    """Remove what earlier runs with other parameters left in the folder."""
    if source != "openmoji":
        shutil.rmtree(out / "coco", ignore_errors=True)
    conversions = [BENCHMARKS[name].conversion for name in sets if name in BENCHMARKS]
    current = {conversion.folder for conversion in conversions if conversion is not None}
    for folder in (out / "labels").glob("*"):
        if folder.name not in current:
            shutil.rmtree(folder)


def _counts(dataset: Dataset, rejects: list[Reject], sets: Sequence[str], out: Path) -> dict:
    counts: dict = {"classes": len(dataset.classes)}
    for split in SPLITS:
        records = read_split(out, split)
        counts[split] = {
            "pictures": len(records),
            "captions": sum(len(record.captions) for record in records),
            "label_maps": sum(record.label_path is not None for record in records),
        }
    counts["sets"] = {
        name: len(load_eval_set(out / "sets" / f"{name}.json").images) for name in sets
    }
    counts["rejects"] = dict(sorted(Counter(reject.reason for reject in rejects).items()))
    return counts
