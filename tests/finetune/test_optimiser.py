import pytest

from pipeline.finetune.optimiser import adamw, learning_rate_factor, trained_parameters
from tests.clip.tiny import tiny_clip


def test_what_is_trained():
    clip = tiny_clip(depth=2)
    weights = trained_parameters(clip, "weights")
    assert weights and all(name.startswith("clip.visual.") for name in weights)
    assert list(trained_parameters(clip, "prompts")) == ["prompts"]
    assert set(trained_parameters(clip, "both")) == {*weights, "prompts"}
    assert not clip.clip.logit_scale.requires_grad
    assert not clip.clip.token_embedding.weight.requires_grad


def test_groups():
    clip = tiny_clip(depth=1)
    optimizer = adamw(trained_parameters(clip, "both"), 1e-4, 0.05, 0.2)
    matrices, vectors, prompts = optimizer.param_groups
    assert {p.ndim for p in vectors["params"]} == {1}
    assert min(p.ndim for p in matrices["params"]) == 2
    assert [p is clip.prompts for p in prompts["params"]] == [True]
    assert [g["weight_decay"] for g in optimizer.param_groups] == [0.2, 0, 0]
    assert [g["peak"] for g in optimizer.param_groups] == [1e-4, 1e-4, 0.05]
    only = adamw(trained_parameters(clip, "prompts"), 1e-4, 0.05, 0.2)
    assert [g["peak"] for g in only.param_groups] == [0.05]


def test_schedule_by_hand():
    factors = [learning_rate_factor(step, 6, 2) for step in range(6)]
    assert factors == pytest.approx([0.5, 1.0, 1.0, 0.853553, 0.5, 0.146447], abs=1e-6)
    assert learning_rate_factor(0, 1, 0) == 1.0
    assert learning_rate_factor(3, 4, 100) == 0.04
