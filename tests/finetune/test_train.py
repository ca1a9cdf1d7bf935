import os
import shutil
import subprocess
import sys

import numpy as np
import pytest
import torch

from pipeline.clip.store import load_clip, save_clip
from pipeline.finetune import train as module
from pipeline.finetune.pair_set import PairSet
from pipeline.finetune.params import FinetuneStep
from pipeline.finetune.train import finetune
from tests.clip.tiny import tiny_clip, write_pairs
from tests.finetune.killed import killed_at, noted_steps
from tests.shipped import section

RECIPE = section(
    "finetune.first", train="weights", loss="unique_nouns", fill="mean", prompt_depth=2,
    learning_rate=1e-3,
    prompt_learning_rate=0.05, weight_decay=0.1, epochs=2.0, batch_size=16, warmup_steps=3,
    min_crop=0.9, bfloat16=False, seed=0,
)  # fmt: skip


@pytest.fixture(autouse=True)
def often(monkeypatch):
    """Many held-out pairs, checkpoints close together."""
    monkeypatch.setattr(module, "HELD_OUT_SHARE", 0.2)
    monkeypatch.setattr(module, "CHECKPOINT_STEPS", 5)


@pytest.fixture(scope="module")
def pairs(tmp_path_factory):
    return PairSet(write_pairs(tmp_path_factory.mktemp("pairs"), 120))


def run(folder, pairs, depth=0, curves=None, **changes):
    clip = tiny_clip(depth=depth)
    recipe = RECIPE.model_copy(update=changes)
    return clip, finetune(clip, pairs, recipe, folder / "checkpoints", curves)


def tower(clip):
    return {k: v for k, v in clip.clip.state_dict().items() if k.startswith("visual.")}


def test_it_learns_to_name_what_it_has_not_seen(tmp_path, pairs):
    clip, metrics = run(tmp_path, pairs, epochs=12.0, curves=tmp_path / "curves", bfloat16=True)
    assert metrics["held_out_accuracy"] >= 0.95 > metrics["held_out_accuracy_before"]
    assert metrics["held_out_pairs"] + metrics["steps"] * 16 / 12 == pytest.approx(120, abs=1)
    assert metrics["pairs"] == 120 and metrics["unique_nouns"] == 3 and metrics["loss"] < 0.5
    curve = (tmp_path / "curves/plots/metrics/held_out/accuracy.tsv").read_text().splitlines()
    assert 8 <= len(curve) - 1 <= 10 and curve[-1].split("\t")[-2] == str(metrics["steps"])
    assert (tmp_path / "curves/plots/metrics/train/loss.tsv").is_file()
    text = {k: v for k, v in clip.clip.state_dict().items() if not k.startswith("visual.")}
    assert all(torch.equal(v, tiny_clip().clip.state_dict()[k]) for k, v in text.items())


@pytest.mark.parametrize("loss", ["unique_nouns", "plain"])
def test_prompts_alone_leave_clip_as_it_was(tmp_path, pairs, loss):
    clip, metrics = run(tmp_path, pairs, train="prompts", loss=loss)
    fresh = tiny_clip()
    assert all(
        torch.equal(v, fresh.clip.state_dict()[k]) for k, v in clip.clip.state_dict().items()
    )
    assert clip.prompt_depth == 2 and metrics["trained"] == "prompts"
    images = torch.randn(2, 3, 24, 24)
    with torch.no_grad():
        assert torch.equal(clip.encode_image(images), fresh.encode_image(images))


def test_both_at_once_and_nothing(tmp_path, pairs):
    clip, _ = run(tmp_path, pairs, train="both", epochs=0.5)
    fresh = tiny_clip(depth=2)
    assert not torch.equal(clip.prompts, fresh.prompts)
    assert not torch.equal(tower(clip)["visual.proj"], tower(fresh)["visual.proj"])
    clip, metrics = run(tmp_path, pairs, train="nothing", depth=1)
    assert torch.equal(clip.prompts, tiny_clip(depth=1).prompts) and metrics["steps"] == 0
    assert metrics["held_out_accuracy"] == metrics["held_out_accuracy_before"]


def test_weights_after_prompts_train_around_them(tmp_path, pairs):
    clip, _ = run(tmp_path, pairs, depth=3, train="weights", epochs=0.5)
    assert torch.equal(clip.prompts, tiny_clip(depth=3).prompts)
    assert not torch.equal(tower(clip)["visual.proj"], tower(tiny_clip())["visual.proj"])


def test_own_tars_train_as_those_of_the_stage_do(tmp_path, pairs):
    """No manifests: the same pairs, so the same weights."""
    for shard in pairs.folder.glob("*.tar"):
        shutil.copy(shard, tmp_path)
    copied = PairSet(tmp_path)
    assert not copied.has_manifests
    expected, numbers = run(tmp_path / "a", pairs, epochs=0.3)
    clip, metrics = run(tmp_path / "b", copied, epochs=0.3)
    assert metrics == numbers
    assert all(torch.equal(tower(clip)[key], value) for key, value in tower(expected).items())


def test_a_killed_run_ends_as_if_it_had_not_been(tmp_path, pairs, monkeypatch):
    whole, expected = run(tmp_path / "whole", pairs, curves=tmp_path / "a", train="both")

    with killed_at(8):
        run(tmp_path / "killed", pairs, train="both")
    steps = noted_steps(monkeypatch)
    resumed, metrics = run(tmp_path / "killed", pairs, curves=tmp_path / "b", train="both")
    assert steps == list(range(6, expected["steps"]))  # checkpoints at 3, 6, 9, 12
    assert metrics == expected
    assert torch.equal(resumed.prompts, whole.prompts)
    assert all(torch.equal(tower(resumed)[key], value) for key, value in tower(whole).items())
    for file in ("held_out/accuracy.tsv", "train/loss.tsv"):
        a, b = (tmp_path / k / "plots/metrics" / file for k in "ab")
        assert _without_time(a) == _without_time(b)


def test_a_training_that_diverges_is_told(tmp_path, pairs):
    with pytest.raises(ValueError, match=r"the loss of step \d+ is .* at learning rate .*diverged"):
        run(tmp_path, pairs, learning_rate=1e30)


def test_nothing_trained_leaves_no_curves_of_an_earlier_training(tmp_path, pairs):
    run(tmp_path, pairs, epochs=0.3, curves=tmp_path / "curves")
    assert (tmp_path / "curves/plots").is_dir()
    run(tmp_path, pairs, train="nothing", curves=tmp_path / "curves")
    assert not (tmp_path / "curves").exists()


def _without_time(path):
    rows = [line.split("\t") for line in path.read_text().splitlines()]
    kept = [i for i, name in enumerate(rows[0]) if name != "timestamp"]
    return [[row[i] for i in kept] for row in rows]


OTHER = {
    "train": "both", "loss": "plain", "fill": "zero", "prompt_depth": 1, "learning_rate": 2e-3,
    "prompt_learning_rate": 0.1, "weight_decay": 0.2, "epochs": 3.0, "batch_size": 8,
    "warmup_steps": 2, "min_crop": 0.8, "bfloat16": True, "seed": 1, "templates": "vild",
}  # fmt: skip
"""Another value of every part of a recipe that decides what comes out."""


def test_another_value_is_known_of_all_that_decides():
    assert FinetuneStep.model_fields.keys() == OTHER.keys()
    assert all(getattr(RECIPE, name) != value for name, value in OTHER.items())


class Begun(Exception):
    """Raised with the index of the first step of a run."""


@pytest.fixture
def first_step(tmp_path, pairs, monkeypatch):
    """first_step(**changes): where a run begins that finds the last checkpoint of RECIPE's."""
    run(tmp_path, pairs)
    shutil.copytree(tmp_path / "checkpoints", tmp_path / "kept")

    def begin(self, index, batch):
        raise Begun(index)

    monkeypatch.setattr(module._Run, "step", begin)

    def first(pairs=pairs, clip=None, **changes):
        shutil.rmtree(tmp_path / "checkpoints")  # another run removes what it cannot use
        shutil.copytree(tmp_path / "kept", tmp_path / "checkpoints")
        recipe = RECIPE.model_copy(update=changes)
        try:
            done = finetune(clip or tiny_clip(), pairs, recipe, tmp_path / "checkpoints")
        except Begun as begun:
            return begun.args[0]
        return done["steps"]  # the checkpoint of the end was found

    return first


def test_a_checkpoint_of_another_run_is_not_resumed(tmp_path, first_step):
    assert first_step() == 13  # all steps
    for name, value in OTHER.items():
        assert first_step(**{name: value}) == 0, name
    assert first_step(PairSet(write_pairs(tmp_path / "pairs", 120, seed=1))) == 0
    assert first_step(clip=tiny_clip(seed=1)) == 0
    assert first_step() == 13


def test_the_checkpoint_of_another_run_is_removed(tmp_path, pairs):
    run(tmp_path, pairs)
    [first] = (tmp_path / "checkpoints").iterdir()
    _, other = run(tmp_path, pairs, seed=1)
    assert first not in (tmp_path / "checkpoints").iterdir()
    _, clean = run(tmp_path / "clean", pairs, seed=1)
    assert other == clean


def test_loader_processes_change_nothing(tmp_path, pairs):
    alone, _ = run(tmp_path, pairs, epochs=0.3)
    clip = tiny_clip()
    recipe = RECIPE.model_copy(update={"epochs": 0.3})
    finetune(clip, pairs, recipe, tmp_path / "other", loader_workers=2)
    assert all(torch.equal(tower(clip)[k], v) for k, v in tower(alone).items())


def test_a_batch_larger_than_the_pairs(tmp_path, monkeypatch):
    few = PairSet(write_pairs(tmp_path, 3))
    monkeypatch.setattr(module, "HELD_OUT_SHARE", 0.0)
    _, metrics = run(tmp_path, few, batch_size=32)
    assert metrics["steps"] == 1 and "held_out_accuracy" in metrics
    assert metrics["held_out_accuracy"] is None and np.isfinite(metrics["loss"])


def test_two_processes_give_the_result_of_one(tmp_path, pairs):
    """torchrun with two processes on one global batch, against this process alone."""
    clip = tiny_clip()
    save_clip(tmp_path / "base", clip, "tiny")
    script = tmp_path / "train.py"
    script.write_text(
        "import sys, torch.distributed as dist\n"
        "from pathlib import Path\n"
        "from pipeline.finetune.train import finetune\n"
        "from pipeline.finetune.pair_set import PairSet\n"
        "from pipeline.clip.store import load_clip, save_clip\n"
        "from pipeline.finetune import train\n"
        "from tests.finetune.test_train import RECIPE\n"
        "train.HELD_OUT_SHARE = 0.2\n"
        "folder, pairs = Path(sys.argv[1]), PairSet(sys.argv[2])\n"
        "dist.init_process_group('gloo')\n"
        "clip = load_clip(folder / 'base')\n"
        "finetune(clip, pairs, RECIPE, folder / 'checkpoints', folder / 'curves')\n"
        "if dist.get_rank() == 0: save_clip(folder / 'two', clip, 'two')\n"
        "dist.destroy_process_group()\n"
    )
    command = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc_per_node=2"]
    subprocess.run(
        [*command, str(script), str(tmp_path), str(pairs.folder)],
        check=True,
        env={**os.environ, "PYTHONPATH": os.getcwd(), "OMP_NUM_THREADS": "1"},
        timeout=400,
    )
    finetune(clip, pairs, RECIPE, tmp_path / "one")
    two = load_clip(tmp_path / "two")
    for key, value in tower(clip).items():
        if not key.endswith("in_proj_bias"):  # a key's bias has no gradient but rounding noise
            assert torch.allclose(tower(two)[key], value, atol=1e-4), key
