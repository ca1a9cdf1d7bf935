"""Train the segmenter on the closed set (paper section 4.1), on detectron2's trainer.

Runs in one process, or in several under torchrun (see `pipeline.core.processes.distributed`). A run
that was killed goes on from its last checkpoint and ends with the same weights and curves.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from detectron2.utils import comm
from torch import Tensor, nn
from torch.nn.parallel import DistributedDataParallel
from torch.utils.data import DataLoader

from pipeline.core.errors import UserError
from pipeline.core.processes.workers import reading
from pipeline.core.records import Reject
from pipeline.core.resume import Checkpoints
from pipeline.core.sampler import TrainingBatchSampler, loader
from pipeline.maskformer.maskformer import MaskFormer
from pipeline.maskformer.sync_norm import synchronise_norms
from pipeline.segmenter.data import TrainingSample, TrainingSet
from pipeline.segmenter.hooks import (
    GradNormClipping,
    RecordCurves,
    SaveCheckpoints,
    SeedStep,
    SetLearningRate,
    ShowProgress,
)
from pipeline.segmenter.optimiser import parameter_groups
from pipeline.segmenter.params import SegmenterTraining
from pipeline.segmenter.trainer import LossModel, SegmenterTrainer
from pipeline.training.curves import Curves
from pipeline.training.optimiser import adamw
from pipeline.training.schedule import Schedule

CHECKPOINT_STEPS = 1000
"""At most from one to the next; short runs write five."""
CURVE_STEPS, CURVE_POINTS = 20, 500
"""Fewest steps from one point of the curves to the next, and how many points there are at most."""


@dataclass(frozen=True)
class TrainingResult:
    """losses: weighted means up to the last point of the curves; rejects: pictures left out."""

    losses: dict[str, float]
    rejects: list[Reject]


def train(
    segmenter: MaskFormer,
    data: TrainingSet,
    text_features: Tensor,
    recipe: SegmenterTraining,
    checkpoints: Checkpoints,
    curves: Path | None = None,
    loader_workers: int = 0,
) -> TrainingResult:
    """Train `segmenter` in place, on the device it is on.

    text_features: (K,D) unit norm, one row per trained class in the order of `data.class_ids`.
    checkpoints: of this run alone; one found there is resumed from.
    curves: folder for dvclive; None writes none. UserError if the loss is not a number.
    """
    assert len(text_features) == len(data.class_ids), (text_features.shape, len(data.class_ids))
    device = next(segmenter.parameters()).device
    optimizer = adamw(
        parameter_groups(
            segmenter, recipe.learning_rate, recipe.backbone_multiplier, recipe.weight_decay
        ),
        fused=True,
    )
    model: nn.Module = LossModel(segmenter, text_features.to(device), recipe, recipe.bfloat16)
    if comm.get_world_size() > 1:
        synchronise_norms(model)
        model = DistributedDataParallel(
            model, device_ids=[device] if device.type == "cuda" else None
        )
    trainer = SegmenterTrainer(model, data_loader=None, optimizer=optimizer)
    recorder = Curves(curves)
    every = min(CHECKPOINT_STEPS, -(-recipe.steps // 5)) or 1
    period = max(CURVE_STEPS, -(-recipe.steps // CURVE_POINTS))
    trainer.register_hooks(
        [
            SeedStep(recipe.seed),
            GradNormClipping(list(segmenter.parameters()), recipe.max_grad_norm),
            SetLearningRate(optimizer, Schedule("poly", recipe.steps, recipe.warmup_steps)),
            RecordCurves(recorder, period, every),
            SaveCheckpoints(checkpoints, segmenter, every),
            ShowProgress("segmenter"),
        ]
    )
    start = 0
    if (found := checkpoints.load(segmenter.state_dict())) is not None:
        segmenter.load_state_dict(found.weights)
        trainer.load_state_dict(found.state)
        start = found.step
    trainer.data_loader = _loader(data, recipe, start, loader_workers)
    try:
        with reading():
            trainer.train(start, recipe.steps)
    except FloatingPointError as error:
        raise UserError(
            f"{str(error).partition(chr(10))[0]} The training diverged; lower "
            "segmenter.training.learning_rate"
        ) from error
    losses = {
        name.removeprefix("train/"): value
        for name, value in (recorder.history[-1] if recorder.history else {}).items()
        if "loss" in name
    }
    return TrainingResult(losses, sorted(trainer.rejects, key=lambda r: r.item))


def _loader(data: TrainingSet, recipe: SegmenterTraining, start: int, workers: int) -> DataLoader:
    sampler = TrainingBatchSampler(
        len(data),
        recipe.batch_size,
        recipe.seed,
        start,
        recipe.steps,
        comm.get_rank(),
        comm.get_world_size(),
    )
    return loader(data, sampler, _as_list, workers)


def _as_list(samples: Sequence[TrainingSample]) -> list[TrainingSample]:
    return list(samples)
