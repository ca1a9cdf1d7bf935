"""A killed training goes on only with the inputs and the code that it began with."""

import copy
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

from pipeline.core import fingerprint
from pipeline.finetune import train as finetuning
from pipeline.finetune.pair_set import PairSet
from pipeline.finetune.train import finetune
from pipeline.segmenter import fit as fitting
from pipeline.segmenter import train as segmenter_training
from pipeline.segmenter.trainer import SegmenterTrainer
from tests.changed_shards import recolour, state_in_manifest
from tests.clip.tiny import tiny_clip as clip_to_train
from tests.clip.tiny import write_pairs
from tests.finetune.killed import Killed, killed_at, noted_steps
from tests.segmenter.tiny import config, text, training, world
from tests.shipped import section

QUICK = section(
    "finetune.first", train="weights", prompt_depth=2, learning_rate=1e-3, epochs=4.0,
    batch_size=16, warmup_steps=3, bfloat16=False,
)  # fmt: skip


def train(pairs: Path, checkpoints: Path, clip: Any = None) -> tuple[dict, Any]:
    model = clip or clip_to_train()
    return finetune(model, PairSet(pairs), QUICK, checkpoints), model


@pytest.mark.parametrize("change", ["nothing", "crops", "frozen half", "code"])
def test_a_killed_fine_tuning_goes_on_only_with_the_same_inputs(tmp_path, monkeypatch, change):
    folder = write_pairs(tmp_path / "pairs", 40)
    monkeypatch.setattr(finetuning, "CHECKPOINT_STEPS", 1)
    with killed_at(4):
        train(folder, tmp_path / "state")
    clip = clip_to_train()
    if change == "crops":  # same nouns, pictures, sizes: only what is seen differs
        for tar in folder.glob("*.tar"):
            recolour(tar)
            state_in_manifest(tar)
    elif change == "frozen half":
        with torch.no_grad():
            clip.clip.ln_final.bias.add_(0.25)
    elif change == "code":
        monkeypatch.setattr(fingerprint, "_of_source", lambda path: "other")
    untouched = copy.deepcopy(clip)
    done = noted_steps(monkeypatch)
    _, model = train(folder, tmp_path / "state", clip)
    assert done[0] == (4 if change == "nothing" else 0)
    _, clean = train(folder, tmp_path / "clean", untouched)
    for key, value in clean.state_dict().items():
        assert torch.equal(value, model.state_dict()[key]), key


@pytest.mark.parametrize("change", ["nothing", "a picture", "a label map"])
def test_a_killed_segmenter_goes_on_only_with_the_same_pictures(tmp_path, monkeypatch, change):
    """Which is told by what is in the files: their names and sizes stay the same."""
    dataset, records = world(tmp_path / "world", 4)
    closed = fitting.ClosedSet(dataset, records, [0, 1, 2], dataset.classes, text())
    short = training(steps=4)
    monkeypatch.setattr(segmenter_training, "CHECKPOINT_STEPS", 1)

    def run(out: Path) -> Any:
        cpu = torch.device("cpu")
        places = (out / "checkpoints", out / "curves")
        return fitting.fit(config(), closed, short, None, *places, cpu, 0)[0]

    step = SegmenterTrainer.run_step

    def dying(self):
        if self.iter == 2:
            raise Killed
        step(self)

    with monkeypatch.context() as patch, pytest.raises(Killed):
        patch.setattr(SegmenterTrainer, "run_step", dying)
        run(tmp_path / "out")
    if change == "a picture":
        pixels = np.array(Image.open(tmp_path / "world/0.png"))
        Image.fromarray(255 - pixels).save(tmp_path / "world/0.png")
    elif change == "a label map":
        labels = np.array(Image.open(tmp_path / "world/0_label.png"))
        Image.fromarray(np.where(labels == 2, 1, labels).astype(np.uint8)).save(
            tmp_path / "world/0_label.png"
        )
    first = []

    def noting(self):
        first.append(self.iter)
        step(self)

    monkeypatch.setattr(SegmenterTrainer, "run_step", noting)
    resumed = run(tmp_path / "out")
    assert first[0] == (2 if change == "nothing" else 0)
    clean = run(tmp_path / "clean")
    for key, value in clean.state_dict().items():
        assert torch.equal(value, resumed.state_dict()[key]), key
