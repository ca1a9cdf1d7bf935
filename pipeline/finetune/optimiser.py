"""Which weights fine-tuning moves, which of them decay, and how fast each learns (open_clip's)."""

from torch import nn

from pipeline.clip.tower import MaskClip
from pipeline.training.optimiser import Group


def trained_parameters(clip: MaskClip, train: str) -> dict[str, nn.Parameter]:
    """Lock everything but what `train` names: "weights" (image tower), "prompts" or "both".

    Returns the trained parameters by name. The temperature and the text tower never train.
    """
    assert train in ("weights", "prompts", "both"), train
    sines = clip.model_cfg["vision_cfg"].get("pos_embed_type") == "sin_cos_2d"
    fixed = "clip.visual.positional_embedding" if sines else None
    chosen = {}
    for name, parameter in clip.named_parameters():
        of_tower = name.startswith("clip.visual.") and name != fixed
        is_trained = (of_tower and train != "prompts") or (name == "prompts" and train != "weights")
        parameter.requires_grad = is_trained
        if is_trained:
            chosen[name] = parameter
    return chosen


def parameter_groups(
    parameters: dict[str, nn.Parameter],
    learning_rate: float,
    prompt_learning_rate: float,
    weight_decay: float,
) -> list[Group]:
    """Return the trained parameters by learning rate and weight decay.

    Matrices of the tower decay; biases, norms, single embeddings and the mask prompts do not.
    """
    prompts = [p for name, p in parameters.items() if name == "prompts"]
    tower = [p for name, p in parameters.items() if name != "prompts"]
    return [
        Group([p for p in tower if p.ndim > 1], learning_rate, weight_decay),
        Group([p for p in tower if p.ndim <= 1], learning_rate, 0.0),
        Group(prompts, prompt_learning_rate, 0.0),
    ]
