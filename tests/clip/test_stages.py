"""The stages `base_clip` and `finetune` as the DAG calls them, on the shipped CLIP."""

import json

import pytest
import torch
import yaml

from pipeline.clip.sources import MINIATURE, shipped_clip
from pipeline.clip.store import load_clip
from stages import base_clip, finetune
from tests import shipped
from tests.clip.tiny import write_pairs

MODEL = {"clip.json", "clip.safetensors", "prompts.safetensors"}


@pytest.fixture(scope="module")
def params(tmp_path_factory):
    """The shipped parameters with two epochs of small batches."""
    content = yaml.safe_load(shipped.PARAMS.read_text())
    for step in content["finetune"].values():
        step |= {"epochs": 2.0, "batch_size": 8, "warmup_steps": 2}
    path = tmp_path_factory.mktemp("params") / "params.yaml"
    path.write_text(yaml.safe_dump(content))
    return path


def test_the_shipped_clip_is_small_and_whole():
    assert sum(file.stat().st_size for file in MINIATURE.iterdir()) < 20e6
    clip = shipped_clip()
    assert clip.prompts is None and clip.clip.visual.proj.dtype == torch.float32


def test_base_clip_then_both_steps(tmp_path, params, monkeypatch):
    monkeypatch.setattr(base_clip, "PICTURES", 40)
    base_clip.main(tmp_path / "base", tmp_path / "base.json", params)
    accuracy = json.loads((tmp_path / "base.json").read_text())["zero_shot_top1"]
    assert accuracy["natural"] > 0.5 and set(accuracy) == {"natural", "box", "masked"}

    pairs = write_pairs(tmp_path / "pairs", 40)
    before, checkpoints = tmp_path / "base", tmp_path / "checkpoints"
    for step in ("first", "second"):
        out = tmp_path / step
        finetune.main(step, pairs, before, out, tmp_path / f"{step}.json", params, checkpoints)
        found = json.loads((tmp_path / f"{step}.json").read_text())
        assert found["pairs"] == 40 and found["steps"] >= 9
        assert {path.name for path in out.iterdir()} <= MODEL | {"curves"}  # all that DVC keeps
        assert list((checkpoints / "finetune" / step).glob("*/step-*.pt"))
        assert (out / "curves/plots/metrics/train/loss.tsv").is_file()
        before = out
    first, second = load_clip(tmp_path / "first"), load_clip(tmp_path / "second")
    assert first.prompt_depth == 0 and second.prompt_depth == 3
    for key, value in first.clip.state_dict().items():
        assert torch.equal(value, second.clip.state_dict()[key]), key
    assert second.name.endswith("first step: weights; second step: prompts")
