"""Adapting CLIP to masked crops (paper, section 3.3): its image tower, its mask prompts, or both.

The text tower is locked, so the features of all nouns are computed once. Runs in one process, or
in several under torchrun: the global batch is fixed and split over them, the result is that of
one process. A run that was killed goes on from its last checkpoint and ends with the same weights
and curves.
"""

import json
import shutil
from collections.abc import Iterator
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import numpy as np
import torch
import torch.distributed as dist
from torch import Tensor, nn
from torch.nn.parallel import DistributedDataParallel

from pipeline.clip.encode import encode_cut
from pipeline.clip.templates import TEMPLATES
from pipeline.clip.text import class_features
from pipeline.clip.tower import MaskClip
from pipeline.clip.view import TEMPERATURE, RegionView
from pipeline.core.errors import UserError
from pipeline.core.fingerprint import of_code, of_value
from pipeline.core.precision import math_attention, tower_precision
from pipeline.core.processes.workers import reading
from pipeline.core.progress import counting
from pipeline.core.resume import Checkpoints
from pipeline.core.sampler import TrainingBatchSampler, loader
from pipeline.finetune.augment import Batch, RegionSet, stack
from pipeline.finetune.losses import contrastive_loss, gather_batch, processes
from pipeline.finetune.optimiser import parameter_groups, trained_parameters
from pipeline.finetune.pair_set import PairSet
from pipeline.finetune.params import FinetuneStep
from pipeline.finetune.run_state import RunState
from pipeline.finetune.validation import accuracy, hold_out
from pipeline.training.curves import Curves
from pipeline.training.optimiser import adamw
from pipeline.training.schedule import Schedule
from pipeline.weights.digest import of_weights

BETAS, EPS = (0.9, 0.98), 1e-6
"""Of AdamW, as open_clip trains ViTs."""
HELD_OUT_SHARE, MAX_HELD_OUT = 0.05, 1000
"""Share and greatest number of pairs kept for validation."""
CHECKPOINT_STEPS = 500
"""Most steps from one checkpoint to the next; short runs write five."""
HELD_OUT = "held_out/accuracy"
LOSS_POINTS, ACCURACY_POINTS = 50, 8
"""How many points the curves of the loss and of the held-out accuracy have at most."""


def finetune(
    clip: MaskClip,
    pairs: PairSet,
    recipe: FinetuneStep,
    checkpoints: Path,
    curves: Path | None = None,
    loader_workers: int = 0,
) -> dict[str, Any]:
    """Train `clip` in place, on the device it is on; returns the stage's metrics.

    checkpoints: folder of this stage alone; the same run is resumed from what is found there.
    curves: folder for dvclive, None writes none; emptied where nothing is trained. UserError on a
    batch that cannot be split over the processes, a prompt depth the tower does not have, or a
    loss that is no number.
    """
    identity = run_identity(clip, pairs, recipe)
    training, held = hold_out(pairs.image_ids, HELD_OUT_SHARE, MAX_HELD_OUT)
    regions = RegionSet(
        pairs, clip.image_size, clip.mean, clip.std, recipe.fill, recipe.min_crop, recipe.seed
    )
    nouns = class_features(clip, pairs.nouns, TEMPLATES[recipe.templates])
    view = RegionView(
        fill=recipe.fill, precision=tower_precision(clip.mean.device, recipe.bfloat16)
    )

    def held_out_accuracy() -> float | None:
        return accuracy(clip, regions, held, nouns, view) if len(held) else None

    before = held_out_accuracy()  # of the CLIP as it came, before it gets fresh prompts
    if recipe.train in ("prompts", "both"):
        clip.deepen_prompts(recipe.prompt_depth, torch.Generator().manual_seed(recipe.seed))
    metrics = {
        "trained": recipe.train,
        "pairs": len(pairs),
        "unique_nouns": len(pairs.nouns),
        "held_out_pairs": len(held),
        "held_out_accuracy_before": before,
    }
    if recipe.train == "nothing":
        if curves is not None:
            shutil.rmtree(curves, ignore_errors=True)
        return metrics | {"held_out_accuracy": before, "steps": 0}
    steps = max(1, round(recipe.epochs * len(training) / recipe.batch_size))
    run = _Run(clip, recipe, view, steps, nouns)
    recorder = Curves(curves if _rank() == 0 else None)
    recorder.add(0, {HELD_OUT: before})
    state = RunState(run.parameters, run.optimizer, recorder)
    saved = Checkpoints(checkpoints, identity)
    start = state.load(saved)
    batches = _batches(regions, training, recipe, start, steps, loader_workers)
    every = min(CHECKPOINT_STEPS, -(-steps // 5))
    shown = counting(steps, f"fine-tuning {recipe.train}") if _rank() == 0 else _quiet()
    with reading(), shown as advance:
        advance(start)
        for step, batch in enumerate(batches, start=start + 1):
            recorder.see(run.step(step - 1, batch))
            if _due(step, steps, LOSS_POINTS):
                recorder.close(step)
            if _due(step, steps, ACCURACY_POINTS):
                recorder.add(step, {HELD_OUT: held_out_accuracy()})
            if (step % every == 0 or step == steps) and _rank() == 0:
                state.save(saved, step)
                recorder.write()
            advance(1)
    recorder.write()
    return metrics | {
        "held_out_accuracy": recorder.last(HELD_OUT),
        "steps": steps,
        "loss": recorder.last("train/loss"),
    }


class _Run:
    """Model, optimiser and loss of one run; `step` does one step of training."""

    def __init__(
        self, clip: MaskClip, recipe: FinetuneStep, view: RegionView, steps: int, nouns: Tensor
    ) -> None:
        self.recipe, self.view, self.nouns = recipe, view, nouns
        self.schedule = Schedule("cosine", steps, recipe.warmup_steps)
        self.device = clip.mean.device
        clip.eval()  # no part of CLIP behaves otherwise in training but patch dropout
        self.parameters = trained_parameters(clip, recipe.train)
        groups = parameter_groups(
            self.parameters, recipe.learning_rate, recipe.prompt_learning_rate, recipe.weight_decay
        )
        self.optimizer = adamw(groups, BETAS, EPS)
        self.model: nn.Module = clip
        if processes() > 1:
            self.model = DistributedDataParallel(
                clip, device_ids=[self.device] if self.device.type == "cuda" else None
            )

    def step(self, index: int, batch: Batch) -> dict[str, float]:
        """Do step `index`, from 0; returns its loss and learning rate."""
        rate = self.schedule.apply(self.optimizer, index)
        images = batch.images.to(self.device, non_blocking=True)
        masks = batch.masks.to(self.device, non_blocking=True)
        noun_ids = batch.noun_ids.to(self.device)
        with math_attention():
            features = encode_cut(self.model, images, masks, self.view)
        features, noun_ids = gather_batch(features, noun_ids)
        loss = contrastive_loss(
            features,
            self.nouns[noun_ids],
            TEMPERATURE,
            noun_ids if self.recipe.loss == "unique_nouns" else None,
        )
        if not loss.isfinite():
            raise UserError(
                f"the loss of step {index + 1} is {float(loss)} at learning rate {rate:g}: the "
                "training diverged; lower learning_rate or prompt_learning_rate of this step"
            )
        self.optimizer.zero_grad(set_to_none=True)
        (loss * processes()).backward()  # DistributedDataParallel takes the mean of gradients
        self.optimizer.step()
        return {"loss": float(loss.detach()), "learning_rate": rate}


def _batches(
    regions: RegionSet,
    training: np.ndarray,
    recipe: FinetuneStep,
    start: int,
    steps: int,
    workers: int,
) -> Iterator[Batch]:
    sampler = TrainingBatchSampler(
        len(training), recipe.batch_size, recipe.seed, start, steps, _rank(), processes()
    )
    return iter(loader(regions.only(training), sampler, stack, workers))


def _due(step: int, steps: int, points: int) -> bool:
    """Return True at about `points` evenly spread steps of 1 .. steps, the last one among them."""
    return step * points // steps > (step - 1) * points // steps


def run_identity(clip: MaskClip, pairs: PairSet, recipe: FinetuneStep) -> str:
    """Hash of all that decides the result (core/fingerprint.py): the CLIP as it came, its
    frozen half too, the bytes of the pairs, the recipe, the code. A checkpoint is resumed by a run
    of the same identity only."""
    start = [of_weights(clip), json.dumps(clip.model_cfg, sort_keys=True)]
    return of_value([start, pairs.digest(), recipe, of_code(__file__)])


def _rank() -> int:
    return dist.get_rank() if dist.is_initialized() else 0


def _quiet() -> nullcontext:
    return nullcontext(lambda n: None)
