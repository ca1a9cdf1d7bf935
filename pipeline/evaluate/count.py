"""Counting a whole evaluation set in shards: a killed run goes on, a cluster shares the work.

Confusion matrices are whole numbers, so their sum over shards is the same in any order. A shard
is `counts-00007.npz`: the matrices' non-zero cells, one row each.

    variant (N,) int32   position in the list of variants of the settings
    cell    (N,) int64   position in the flattened (K, K + 1) matrix
    pixels  (N,) int64
"""

import zlib
from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path
from typing import Any
from zipfile import BadZipFile

import numpy as np

from pipeline.clip.store import load_clip
from pipeline.core.errors import RERUN, UserError
from pipeline.core.fingerprint import of_code, of_contents, of_files, of_models
from pipeline.core.processes import runtime
from pipeline.core.records import Reject, write_parquet
from pipeline.core.shards import read_shards, run_shards, shard_files
from pipeline.data.sets import EvalImage, EvalSet, load_eval_set
from pipeline.evaluate.confusion import empty_confusion
from pipeline.evaluate.look import Looker
from pipeline.evaluate.run import Evaluation, evaluate
from pipeline.evaluate.settings import EvaluationSettings
from pipeline.evaluate.variants import Variant, all_variants
from pipeline.maskformer.store import load_segmenter

READING = (ValueError, KeyError, OSError, EOFError, BadZipFile, NotImplementedError, zlib.error)
"""What NumPy raises on a file that is not what it has written."""
SHARD_PICTURES = 8
"""Small, since with the published models a picture takes half a minute on a CPU."""


@dataclass(frozen=True)
class CountPictures:
    """Makes the shard of some pictures, for `run_shards`; loads the models where it runs.

    set_file: the EvalSet. segmenter: its folder. clips: (name, folder) of all CLIPs compared; the
    segmenter was trained with the text tower of the first. stamp: changes whenever these do.
    """

    set_file: Path
    segmenter: Path
    clips: tuple[tuple[str, Path], ...]
    settings: EvaluationSettings
    stamp: str

    @property
    def variants(self) -> list[Variant]:
        """What is counted, in the order of the shards."""
        return all_variants([name for name, _ in self.clips], self.settings)

    def __call__(self, images: list[EvalImage], folder: Path) -> dict[str, Any]:
        looker, eval_set = load(self)
        counted = evaluate(looker, replace(eval_set, images=images))
        assert set(counted.confusions) <= set(self.variants)
        cells = [np.flatnonzero(counted.confusions.get(variant, ())) for variant in self.variants]
        np.savez_compressed(
            folder / "counts.npz",
            variant=np.repeat(np.arange(len(cells), dtype=np.int32), [len(c) for c in cells]),
            cell=np.concatenate(cells),
            pixels=np.concatenate(
                [
                    counted.confusions[variant].flat[cell] if len(cell) else cell
                    for variant, cell in zip(self.variants, cells, strict=True)
                ]
            ),
        )
        write_parquet(folder / "rejects.parquet", counted.rejects, Reject)
        return {"images": counted.images}


def count_set(
    set_file: Path,
    segmenter: Path,
    clips: dict[str, Path],
    settings: EvaluationSettings,
    out: Path,
) -> tuple[Evaluation, Looker]:
    """Count every picture of the set, keeping what an earlier run with the same inputs counted
    in `out`; also returns the models, ready to look at more.

    UserError where no picture of the set could be used.
    """
    eval_set = load_eval_set(set_file)
    files = [path for image in eval_set.images for path in (image.path, image.label_path)]
    models = of_models(segmenter, *clips.values())
    stamp = of_files([set_file]) + models + of_contents(eval_set.root, files)
    work = CountPictures(set_file, segmenter, tuple(clips.items()), settings, stamp)
    code = of_code(__file__)
    shards = run_shards(
        out,
        eval_set.images,
        SHARD_PICTURES,
        work,
        {"inputs": stamp, "code": code, "settings": settings},
        f"evaluate {eval_set.name}",
        names=("counts.npz", "rejects.parquet"),
    )
    result = Evaluation(
        confusions=sum_shards(out, work.variants, len(eval_set.classes)),
        images=sum(shard.counts["images"] for shard in shards),
        rejects=list(read_shards(out, "rejects", Reject)),
    )
    if not result.images:
        why = result.rejects[0].detail if result.rejects else "the set lists no pictures"
        raise UserError(f"{set_file}: no picture could be evaluated; first reason: {why}")
    return result, load(work)[0]


def sum_shards(folder: Path, variants: list[Variant], classes: int) -> dict[Variant, np.ndarray]:
    """The confusion matrices of all shards in `folder`, added up."""
    sums = {variant: empty_confusion(classes) for variant in variants}
    for path in shard_files(folder, "counts", "npz"):
        try:
            with np.load(path, allow_pickle=False) as shard:
                variant, cell, pixels = (_column(shard, n) for n in ("variant", "cell", "pixels"))
            _check(variant, cell, pixels, len(variants), classes)
        except READING as error:
            raise UserError(f"{path}: not a readable shard of counts: {error}; {RERUN}") from error
        starts = np.searchsorted(variant, np.arange(len(variants) + 1))
        for i, matrix in enumerate(sums.values()):
            part = slice(starts[i], starts[i + 1])
            matrix.reshape(-1)[cell[part]] += pixels[part]  # every cell stands once in a shard
    return sums


def _column(shard: Mapping[str, np.ndarray], name: str) -> np.ndarray:
    column = shard[name]
    if column.ndim != 1 or (len(column) and column.dtype.kind not in "iu"):
        raise ValueError(f"{name} is {column.dtype} {column.shape}, expected whole numbers (N,)")
    return column.astype(np.int64, copy=False)


def _check(
    variant: np.ndarray, cell: np.ndarray, pixels: np.ndarray, variants: int, classes: int
) -> None:
    """Each an int64 (N,). ValueError where they are not the counts of these variants."""
    if not len(variant) == len(cell) == len(pixels):
        raise ValueError(f"{len(variant)} variants, {len(cell)} cells, {len(pixels)} counts")
    if not len(variant):
        return
    cells = variant * (classes * (classes + 1)) + cell
    if variant.min() < 0 or variant.max() >= variants or (np.diff(cells) <= 0).any():
        raise ValueError("variants or cells are out of range or out of order")
    if cell.min() < 0 or cell.max() >= classes * (classes + 1) or pixels.min() < 0:
        raise ValueError("cells or counts are out of range")


@lru_cache(maxsize=1)
def load(work: CountPictures) -> tuple[Looker, EvalSet]:
    """Once a process, not once a shard."""
    device = runtime.device()
    eval_set = load_eval_set(work.set_file)
    clips = {name: load_clip(folder, device) for name, folder in work.clips}
    looker = Looker(
        load_segmenter(work.segmenter, device),
        next(iter(clips.values())),
        clips,
        eval_set.classes,
        eval_set.ignore_label,
        work.settings,
    )
    return looker, eval_set
