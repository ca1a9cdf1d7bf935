"""One training step, and what a trainer remembers across restarts."""

from types import SimpleNamespace

import pytest
import torch

from pipeline.core.records import Reject
from pipeline.maskformer.maskformer import MaskFormer
from pipeline.segmenter.criterion import losses
from pipeline.segmenter.matcher import Target
from pipeline.segmenter.trainer import LossModel, SegmenterTrainer
from tests.segmenter.tiny import WEIGHTS, config, text


def test_the_losses_are_weighted():
    torch.manual_seed(0)
    segmenter = MaskFormer(config(dropout=0.0)).eval()
    image = torch.randint(256, (3, 64, 64), dtype=torch.uint8)
    target = Target(torch.tensor([1]), torch.ones(1, 64, 64, dtype=torch.bool))
    sample = SimpleNamespace(image=image, target=target)
    weights = WEIGHTS.model_copy(update={"class_weight": 2.0, "dice_weight": 0.5})
    with torch.no_grad():
        found = LossModel(segmenter, text(), weights, bfloat16=False)([sample])
        raw = losses(segmenter([image], text()), [target], weights)
    factors = {"loss_ce": 2.0, "loss_mask": 20.0, "loss_dice": 0.5}
    assert factors.keys() <= found.keys() == raw.keys()
    for name, factor in factors.items():
        assert float(found[name]) == pytest.approx(factor * float(raw[name]), rel=1e-4), name


class Weight(torch.nn.Module):
    """A model whose loss is its one weight."""

    def __init__(self) -> None:
        super().__init__()
        self.weight = torch.nn.Parameter(torch.ones(1))

    def forward(self, samples) -> dict[str, torch.Tensor]:
        return {"loss": self.weight.sum()}


def trainer(batches) -> SegmenterTrainer:
    model = Weight()
    return SegmenterTrainer(model, batches, torch.optim.SGD(model.parameters(), lr=0.25))


def test_rejects_of_its_batches_are_noted_once_and_survive_a_restart():
    torn = Reject("segmenter", "1.png", "unreadable picture", "")
    odd = Reject("segmenter", "2.png", "unusable label map", "")
    batches = [[SimpleNamespace(rejects=[torn])], [SimpleNamespace(rejects=[torn, odd])]]
    first = trainer(batches)
    first.train(0, 2)
    assert first.rejects == {torn, odd}
    assert first.model.weight.item() == 0.5  # two steps of a gradient of 1
    again = trainer([])
    again.load_state_dict(first.state_dict())
    assert again.rejects == {torn, odd}
