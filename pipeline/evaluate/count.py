"""Counting the pictures of evaluation sets in shards: a killed run goes on, a cluster shares work.

Sets of the same pictures (ade150 and ade150-synonyms, pc59 and pc459, the two of the OpenMoji
world) are counted in one pass. Confusion matrices are whole numbers, so their sum over shards is
the same in any order. A shard of a set is `world-open-00007.npz`: the matrices' non-zero cells, one
row each.

    variant (N,) int32   position in the list of variants of the settings
    cell    (N,) int64   position in the flattened (K, K + 1) matrix
    pixels  (N,) int64
"""

import zlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
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
from pipeline.evaluate.compare import Comparison
from pipeline.evaluate.confusion import empty_confusion
from pipeline.evaluate.params import EvaluateCommon
from pipeline.evaluate.run import Evaluation, evaluate
from pipeline.evaluate.variants import Variant, all_variants
from pipeline.maskformer.store import load_segmenter

READING = (ValueError, KeyError, OSError, EOFError, BadZipFile, NotImplementedError, zlib.error)
"""What NumPy raises on a file that is not what it has written."""
SHARD_PICTURES = 8
"""Small, since with the published models a picture takes half a minute on a CPU."""


@dataclass(frozen=True)
class CountPictures:
    """Makes the shard of some pictures, for `run_shards`; loads the models where it runs.

    set_files: the evaluation sets, of the same pictures. segmenter: its folder. clips: (name,
    folder) of all CLIPs compared; the segmenter was trained with the text tower of the first.
    stamp: changes whenever these do.
    """

    set_files: tuple[Path, ...]
    segmenter: Path
    clips: tuple[tuple[str, Path], ...]
    settings: EvaluateCommon
    stamp: str

    @property
    def variants(self) -> list[Variant]:
        """What is counted, in the order of the shards."""
        return all_variants([name for name, _ in self.clips], self.settings)

    def __call__(self, entries: list[tuple[EvalImage, ...]], folder: Path) -> dict[str, Any]:
        comparison = load(self)
        counted = evaluate(comparison, entries)
        for eval_set, each in zip(comparison.sets, counted, strict=True):
            counts, rejects = shard_names(eval_set.name)
            self._write_counts(folder / counts, each)
            write_parquet(folder / rejects, each.rejects, Reject)
        return {"images": {s.name: e.images for s, e in zip(comparison.sets, counted, strict=True)}}

    def _write_counts(self, path: Path, counted: Evaluation) -> None:
        assert set(counted.confusions) <= set(self.variants)
        cells = [np.flatnonzero(counted.confusions.get(variant, ())) for variant in self.variants]
        np.savez_compressed(
            path,
            variant=np.repeat(np.arange(len(cells), dtype=np.int32), [len(c) for c in cells]),
            cell=np.concatenate(cells),
            pixels=np.concatenate(
                [
                    counted.confusions[variant].flat[cell] if len(cell) else cell
                    for variant, cell in zip(self.variants, cells, strict=True)
                ]
            ),
        )


def shard_names(name: str) -> tuple[str, str]:
    """Return the files of a set in a shard: its counts and its rejects."""
    return f"{name}.npz", f"{name}-rejects.parquet"


def counted_by(settings: EvaluateCommon) -> dict[str, Any]:
    """Return the parameters that decide counts: all but the drawings."""
    return settings.model_dump(exclude={"overlays"})


def same_pictures(dataset: Path, name: str, others: Iterable[str]) -> list[str]:
    """Return those of some evaluation sets, `name` among them, that are of the same pictures as
    `name`. One that is not prepared is left to its own stage to report."""
    files = {each: dataset / "sets" / f"{each}.json" for each in others}
    asked = _pictures(load_eval_set(files[name]))
    return [
        each
        for each, file in files.items()
        if each == name or file.is_file() and _pictures(load_eval_set(file)) == asked
    ]


def _pictures(eval_set: EvalSet) -> tuple[Path, list[str]]:
    return eval_set.root, [image.path for image in eval_set.images]


def count_sets(
    set_files: Sequence[Path],
    segmenter: Path,
    clips: dict[str, Path],
    settings: EvaluateCommon,
    out: Path,
) -> tuple[list[Evaluation], Comparison]:
    """Count every picture by all class lists in one pass, keeping what an earlier run with the same
    inputs counted in a folder of its own below `out`; also returns the models, ready for more.

    set_files: evaluation sets of the same pictures. See `need_pictures` for a set of which none
    could be used: the others are counted all the same.
    """
    sets = [load_eval_set(file) for file in set_files]
    entries = list(zip(*(eval_set.images for eval_set in sets), strict=True))
    files = [path for entry in entries for each in entry for path in (each.path, each.label_path)]
    models = of_models(segmenter, *clips.values())
    stamp = of_files(set_files) + models + of_contents(sets[0].root, dict.fromkeys(files))
    work = CountPictures(tuple(set_files), segmenter, tuple(clips.items()), settings, stamp)
    names = [eval_set.name for eval_set in sets]
    folder = out / "+".join(names)
    shards = run_shards(
        folder,
        entries,
        SHARD_PICTURES,
        work,
        {"inputs": stamp, "code": of_code(__file__), "settings": counted_by(settings)},
        f"evaluate {' and '.join(names)}",
        names=[file for name in names for file in shard_names(name)],
    )
    results = [
        Evaluation(
            confusions=sum_shards(folder, eval_set.name, work.variants, len(eval_set.classes)),
            images=sum(shard.counts["images"][eval_set.name] for shard in shards),
            rejects=list(read_shards(folder, f"{eval_set.name}-rejects", Reject)),
        )
        for eval_set in sets
    ]
    return results, load(work)


def need_pictures(evaluation: Evaluation, set_file: Path) -> None:
    """Raise UserError, with the first reason, where no picture of a set could be used."""
    if not evaluation.images:
        rejects = evaluation.rejects
        why = rejects[0].detail if rejects else "the set lists no pictures"
        raise UserError(f"{set_file}: no picture could be evaluated; first reason: {why}")


def sum_shards(
    folder: Path, name: str, variants: list[Variant], classes: int
) -> dict[Variant, np.ndarray]:
    """Add up the confusion matrices of a set in all shards in `folder`."""
    sums = {variant: empty_confusion(classes) for variant in variants}
    for path in shard_files(folder, name, "npz"):
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
def load(work: CountPictures) -> Comparison:
    """Load the models, once a process and not once a shard."""
    device = runtime.device()
    clips = {name: load_clip(folder, device) for name, folder in work.clips}
    sets = [load_eval_set(file) for file in work.set_files]
    return Comparison(load_segmenter(work.segmenter, device), clips, sets, work.settings)
