"""One training step of MaskFormer on detectron2's `SimpleTrainer`."""

import logging
from collections.abc import Iterator, Sequence

import torch
from detectron2.engine import SimpleTrainer
from torch import Tensor, nn

from pipeline.core.precision import autocast, math_attention
from pipeline.core.records import Reject
from pipeline.maskformer.maskformer import MaskFormer
from pipeline.segmenter.criterion import losses, weighted
from pipeline.segmenter.data import TrainingSample
from pipeline.segmenter.matcher import Target
from pipeline.segmenter.params import LossWeights

# detectron2 logs the stack trace of every exception and raises it too: once is enough.
logging.getLogger("detectron2.engine.train_loop").disabled = True


class LossModel(nn.Module):
    """The segmenter with its criterion: a batch of samples -> {name: weighted loss}."""

    text_features: Tensor

    def __init__(
        self,
        segmenter: MaskFormer,
        text_features: Tensor,
        weights: LossWeights,
        bfloat16: bool,
    ) -> None:
        """text_features: (K,D) unit norm, frozen. bfloat16: mixed precision."""
        super().__init__()
        self.segmenter = segmenter
        self.register_buffer("text_features", text_features, persistent=False)
        self.weights = weights
        self.mixed_precision = bfloat16  # nn.Module has a method bfloat16

    def forward(self, samples: Sequence[TrainingSample]) -> dict[str, Tensor]:
        """Compute the losses of one batch, as `pipeline.segmenter.criterion.losses` names them."""
        device = self.text_features.device
        images = [sample.image.to(device, non_blocking=True) for sample in samples]
        targets = [_on(sample.target, device) for sample in samples]
        with autocast(device, self.mixed_precision):
            output = self.segmenter(images, self.text_features)
        return weighted(losses(output, targets, self.weights), self.weights)


def _on(target: Target, device: torch.device) -> Target:
    counted = None if target.counted is None else target.counted.to(device)
    return Target(target.labels.to(device), target.masks.to(device), counted)


class SegmenterTrainer(SimpleTrainer):
    """A trainer that remembers, across restarts, which pictures could not be used."""

    rejects: set[Reject]
    _data_loader_iter_obj: Iterator[Sequence[TrainingSample]] | None  # SimpleTrainer's

    def __init__(self, model: nn.Module, data_loader, optimizer: torch.optim.Optimizer) -> None:
        super().__init__(model, data_loader, optimizer)
        self.rejects = set()

    @property
    def _data_loader_iter(self):
        if self._data_loader_iter_obj is None:
            self._data_loader_iter_obj = self._noting_rejects()
        return self._data_loader_iter_obj

    def _noting_rejects(self):
        for samples in self.data_loader:
            self.rejects.update(reject for sample in samples for reject in sample.rejects)
            yield samples

    def run_step(self) -> None:
        with math_attention():  # must span the backward pass too
            super().run_step()

    def state_dict(self) -> dict:
        rejects = sorted((r.stage, r.item, r.reason, r.detail) for r in self.rejects)
        return super().state_dict() | {"rejects": rejects}

    def load_state_dict(self, state_dict: dict) -> None:
        super().load_state_dict(state_dict)
        self.rejects = {Reject(*fields) for fields in state_dict["rejects"]}
