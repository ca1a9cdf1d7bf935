"""Where a data-set folder comes from: the embedded world, a COCO folder, or one's own folder.

Each function here indexes one kind of source into dataset.json, train.parquet and val.parquet and
writes the evaluation sets that belong to it.
"""

import shutil
from collections.abc import Sequence
from pathlib import Path

from pipeline.core.errors import UserError
from pipeline.core.records import ImageRecord, Reject
from pipeline.data.classes import load_class_list
from pipeline.data.coco import read_coco
from pipeline.data.dataset import Dataset, write_dataset
from pipeline.data.instances import TrueMasks, instances_file, object_faults
from pipeline.data.own import read_own
from pipeline.data.root import data_root, written_root
from pipeline.data.sets import EvalImage, EvalSet, save_eval_set
from pipeline.world.build import build_world
from pipeline.world.params import WorldParams
from pipeline.world.vocabulary import CLOSED, NOUNS, UNSEEN

STAGE = "dataset"
OWN_SETS = {"openmoji": ("world-closed", "world-open"), "coco": (), "own": ("own",)}
"""Evaluation sets that come with a source, besides the benchmarks."""


def prepare_openmoji(
    size: WorldParams, sets: Sequence[str], out: Path
) -> tuple[Dataset, list[Reject]]:
    """Draw the world into `<out>/coco`, index it and write the requested evaluation sets.

    The seen classes of `world-open` are the closed set; those of `world-closed` leave out UNSEEN.
    """
    root = out / "coco"
    shutil.rmtree(root, ignore_errors=True)
    build_world(size, root)
    train, train_rejects = read_coco(root, "train2017")
    val, val_rejects = read_coco(root, "val2017")
    seen = [name not in UNSEEN for name in CLOSED]
    dataset = Dataset("openmoji", root, list(CLOSED), seen)
    write_dataset(out, dataset, train, val, root="coco")
    for name, classes, maps, ids in (
        ("world-closed", CLOSED, "stuffthingmaps", [i for i, known in enumerate(seen) if known]),
        ("world-open", NOUNS, "allmaps", list(range(len(CLOSED)))),
    ):
        if name in sets:
            images = [_eval_image(r, f"{maps}/{Path(r.path).with_suffix('.png')}") for r in val]
            eval_set = EvalSet(name, root, list(classes), images, seen=ids)
            save_eval_set(out / "sets" / f"{name}.json", eval_set, root="../coco")
    return dataset, train_rejects + val_rejects


def prepare_coco(configured_root: str | None, out: Path) -> tuple[Dataset, list[Reject]]:
    """Index and check train2017 and val2017 of the data root's coco/ folder."""
    root = data_root(configured_root) / "coco"
    stuff = load_class_list("cocostuff")
    train, train_rejects = read_coco(root, "train2017", label_map=stuff.label_map)
    val, val_rejects = read_coco(root, "val2017", label_map=stuff.label_map)
    if (instances := instances_file(root)) is not None:  # stage segmenter measures itself by them
        val_rejects += object_faults(TrueMasks(instances, STAGE), val, STAGE)
    seen = set(stuff.seen)
    dataset = Dataset(
        "coco",
        root,
        stuff.names,
        [class_id in seen for class_id in range(len(stuff.names))],
        label_map=stuff.label_map,
    )
    write_dataset(out, dataset, train, val, root=written_root(configured_root, "coco"))
    return dataset, train_rejects + val_rejects


def prepare_own(root: str | Path, sets: Sequence[str], out: Path) -> tuple[Dataset, list[Reject]]:
    """Index a folder of one's own; write the evaluation set `own` if it is requested."""
    data = read_own(root)
    write_dataset(out, data.dataset, data.train, data.val)
    if "own" in sets:
        images = [_eval_image(r, r.label_path) for r in data.val if r.label_path is not None]
        if not images:
            raise UserError(
                f"{root}: the set `own` needs held-out pictures with masks: list them in val.txt "
                "and put their label maps in masks/, or leave own out of dataset.sets"
            )
        eval_set = EvalSet("own", data.dataset.root, data.dataset.classes, images)
        save_eval_set(out / "sets" / "own.json", eval_set)
    return data.dataset, data.rejects


def _eval_image(record: ImageRecord, label_path: str) -> EvalImage:
    return EvalImage(record.image_id, record.path, label_path, record.width, record.height)
