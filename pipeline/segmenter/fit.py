"""Train a segmenter from a data set and text features: one whole, resumable run."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
from detectron2.utils import comm
from torch import Tensor

from pipeline.core.errors import UserError
from pipeline.core.fingerprint import of_code, of_contents, of_file, of_value
from pipeline.core.progress import report
from pipeline.core.records import ImageRecord
from pipeline.core.resume import Checkpoints
from pipeline.data.dataset import Dataset
from pipeline.maskformer.config import SegmenterConfig
from pipeline.maskformer.maskformer import MaskFormer
from pipeline.segmenter.data import TrainingSet
from pipeline.segmenter.params import SegmenterTraining
from pipeline.segmenter.train import TrainingResult, train
from pipeline.segmenter.warm_start import warm_start
from pipeline.weights.model_zoo import find_weights
from pipeline.weights.read import read_tensors


@dataclass(frozen=True)
class ClosedSet:
    """What the segmenter learns: pictures with label maps and the trained classes.

    class_ids: label values, in the order of `names` and of `text_features` (K,D) unit norm.
    """

    dataset: Dataset
    records: Sequence[ImageRecord]
    class_ids: Sequence[int]
    names: Sequence[str]
    text_features: Tensor


def trained_classes(dataset: Dataset, which: str) -> tuple[list[int], list[str]]:
    """Return class ids and names: "all" of the closed set, or only the "seen" ones of a zero-shot
    split (COCO-Stuff-156); other pixels are ignored. A data set without masks has no classes."""
    assert which in ("all", "seen"), which
    ids = [i for i, seen in enumerate(dataset.seen) if seen or which == "all"]
    return ids, [dataset.classes[i] for i in ids]


def fit(
    architecture: SegmenterConfig,
    closed: ClosedSet,
    training: SegmenterTraining,
    start_from: Path | None,
    checkpoints: Path,
    curves: Path,
    device: torch.device,
    loader_workers: int,
) -> tuple[MaskFormer, TrainingResult]:
    """Build and train a segmenter on `device`.

    start_from: weights to begin with, None for random ones.
    Checkpoints go to that folder, which is this stage's alone, under a fingerprint of everything
    that decides the result, so that only the very same run is resumed; dvclive's curves to theirs.
    UserError when there is no class to learn.
    """
    _need_classes(closed)
    data = TrainingSet(
        closed.dataset,
        closed.records,
        closed.class_ids,
        training,
        training.seed,
        training.ignored_as_background,
    )
    torch.manual_seed(training.seed)
    segmenter = MaskFormer(architecture)
    if start_from is not None:
        file = read_tensors(find_weights(start_from))
        started = warm_start(segmenter, file.tensors, str(start_from))
        if comm.is_main_process():
            for note in file.notes:
                report(f"warm start: {note}")
            for line in started.describe(str(start_from)):
                report(line)
    identity = ""
    if comm.is_main_process():
        identity = run_identity(architecture, closed, training, start_from)
    identity = comm.all_gather(identity)[0]
    result = train(
        segmenter.to(device),
        data,
        closed.text_features,
        training,
        Checkpoints(checkpoints, identity),
        curves,
        loader_workers,
    )
    return segmenter.eval(), result


def run_identity(
    architecture: SegmenterConfig,
    closed: ClosedSet,
    training: SegmenterTraining,
    start_from: Path | None,
) -> str:
    """Hash all that decides the result (`pipeline.core.fingerprint`); arguments as of `fit`.

    Reads every picture and label map once, by threads.
    """
    files = [path for record in closed.records for path in (record.path, record.label_path)]
    return of_value(
        {
            "architecture": architecture,
            "training": training,
            "pictures": of_contents(closed.dataset.root, files),
            "labels": [closed.dataset.label_map, closed.dataset.ignore_label],
            "class_ids": list(closed.class_ids),
            "text": closed.text_features.cpu().numpy().tobytes(),
            "start": None if start_from is None else of_file(start_from),
            "code": of_code(__file__),
        }
    )


def _need_classes(closed: ClosedSet) -> None:
    if closed.class_ids:
        return
    name, number = closed.dataset.name, len(closed.dataset.classes)
    if number:
        raise UserError(
            f"data set {name}: none of its {number} classes is marked as seen, the segmenter has "
            "nothing to learn; set segmenter.training.classes to all"
        )
    raise UserError(
        f"data set {name}: no classes, the segmenter has nothing to learn; give it label maps with "
        "a class list, or take a trained segmenter (segmenter.source: checkpoint)"
    )
