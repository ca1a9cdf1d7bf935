"""Training: it learns, and a killed run ends as an uninterrupted one."""

import pytest
import torch

from pipeline.core.resume import Checkpoints
from pipeline.maskformer.maskformer import MaskFormer
from pipeline.maskformer.masks import Masks
from pipeline.segmenter import train as module
from pipeline.segmenter.data import TrainingSet
from pipeline.segmenter.params import SegmenterTraining
from pipeline.segmenter.recall import best_overlaps
from pipeline.segmenter.train import train
from pipeline.segmenter.trainer import SegmenterTrainer
from tests.segmenter.tiny import config, swin, text, training, world

VARIED = training(max_short_side=96, colour=True)


@pytest.fixture(autouse=True)
def often(monkeypatch):
    """Checkpoints and points of the curves close together."""
    monkeypatch.setattr(module, "CHECKPOINT_STEPS", 3)
    monkeypatch.setattr(module, "CURVE_STEPS", 2)


def recipe(**changes) -> SegmenterTraining:
    return training(**({"steps": 7, "warmup_steps": 2, "bfloat16": True} | changes))


def segmenter(**changes) -> MaskFormer:
    torch.manual_seed(0)
    return MaskFormer(config(**changes))


class Killed(Exception):
    pass


def test_a_killed_run_ends_like_an_uninterrupted_one(tmp_path, monkeypatch):
    dataset, records = world(tmp_path / "world")
    (tmp_path / "world/1.png").write_bytes(b"broken")
    data = TrainingSet(dataset, records, [0, 1, 2], VARIED, 0, True)

    def run(name: str):
        model = segmenter(backbone=swin(drop_path=0.2))
        out = tmp_path / name
        saved = Checkpoints(out / "checkpoints", "this run")
        return model, train(model, data, text(), recipe(), saved, out / "curves")

    whole, result = run("whole")
    step = SegmenterTrainer.run_step

    def dying(self):
        if self.iter == 5:
            raise Killed
        step(self)

    monkeypatch.setattr(SegmenterTrainer, "run_step", dying)
    with pytest.raises(Killed):
        run("killed")
    monkeypatch.setattr(SegmenterTrainer, "run_step", step)
    resumed, again = run("killed")

    assert again == result
    assert [reject.item for reject in result.rejects] == ["1.png"]
    for key, value in whole.state_dict().items():
        assert torch.equal(value, resumed.state_dict()[key]), key
    curves = sorted((tmp_path / "whole/curves").rglob("*.tsv"))
    assert "loss_mask_0.tsv" in {path.name for path in curves}
    for path in curves:
        other = tmp_path / "killed/curves" / path.relative_to(tmp_path / "whole/curves")
        assert path.read_text() == other.read_text()
    assert [line.split("\t")[0] for line in curves[0].read_text().splitlines()] == [
        "step", "2", "4", "6", "7",
    ]  # fmt: skip


def test_a_finished_run_that_is_run_again_writes_its_curves(tmp_path):
    """As after DVC's cache was full: the outputs are gone, the last checkpoint is there."""
    dataset, records = world(tmp_path / "world", 2)
    data = TrainingSet(dataset, records, [0, 1, 2], VARIED, 0, True)
    saved = Checkpoints(tmp_path / "checkpoints", "this run")
    written = []
    for name in ("first", "again"):
        train(segmenter(), data, text(), recipe(steps=3), saved, tmp_path / name)
        files = sorted((tmp_path / name).rglob("*.tsv"))
        written.append([(path.name, len(path.read_text().splitlines())) for path in files])
    assert written[0] and written[0] == written[1]


def test_it_learns_the_masks_of_a_toy_world(tmp_path):
    dataset, records = world(tmp_path / "world", pictures=4)
    still = training(crop=96, min_short_side=70, max_short_side=70, flip=False)
    data = TrainingSet(dataset, records, [0, 1, 2], still, 0, ignored_as_background=False)
    model = segmenter(query_kind="anchored", queries=9, dropout=0.0)
    how = recipe(steps=120, batch_size=2, warmup_steps=5, learning_rate=1e-3)
    result = train(model, data, text(), how, Checkpoints(tmp_path, "run"))
    assert set(result.losses) >= {"total_loss", "loss_ce", "loss_mask", "loss_dice"}
    sample = data[0, 0]
    with torch.inference_mode():
        output = model.eval()([sample.image], text())
        found = Masks(output.class_embed[0], output.pred_masks[0], output.padded_hw)
        masks = found.probabilities((70, 90)).numpy() > 0.5
    overlaps = best_overlaps(masks, sample.target.masks.numpy())
    # of the ground and the square; untrained 0.29 in the mean, 0.14 at least
    assert overlaps.mean() > 0.5 and overlaps.min() > 0.3, overlaps


def test_zero_steps_change_nothing(tmp_path):
    dataset, records = world(tmp_path / "world", 2)
    data = TrainingSet(dataset, records, [0, 1, 2], VARIED, 0, True)
    model = segmenter()
    before = {key: value.clone() for key, value in model.state_dict().items()}
    result = train(model, data, text(), recipe(steps=0), Checkpoints(tmp_path, "run"))
    assert result.losses == {}
    assert all(torch.equal(before[key], value) for key, value in model.state_dict().items())
