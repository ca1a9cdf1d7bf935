from pipeline.finetune.optimiser import parameter_groups, trained_parameters
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
    matrices, vectors, prompts = parameter_groups(trained_parameters(clip, "both"), 1e-4, 0.05, 0.2)
    assert {p.ndim for p in vectors.parameters} == {1}
    assert min(p.ndim for p in matrices.parameters) == 2
    assert [p is clip.prompts for p in prompts.parameters] == [True]
    groups = (matrices, vectors, prompts)
    assert [group.weight_decay for group in groups] == [0.2, 0, 0]
    assert [group.learning_rate for group in groups] == [1e-4, 1e-4, 0.05]
    *empty, only = parameter_groups(trained_parameters(clip, "prompts"), 1e-4, 0.05, 0.2)
    assert only.learning_rate == 0.05 and not any(group.parameters for group in empty)
