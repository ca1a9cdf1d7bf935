"""Which weights fine-tuning moves, and how fast (open_clip's optimiser settings)."""

import math

import torch
from torch import nn

from pipeline.clip.tower import MaskClip


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
        wanted = (of_tower and train != "prompts") or (name == "prompts" and train != "weights")
        parameter.requires_grad = wanted
        if wanted:
            chosen[name] = parameter
    return chosen


def adamw(
    parameters: dict[str, nn.Parameter],
    learning_rate: float,
    prompt_learning_rate: float,
    weight_decay: float,
) -> torch.optim.AdamW:
    """AdamW whose groups carry their peak learning rate as `peak`.

    Matrices of the tower decay; biases, norms, single embeddings and the mask prompts do not.
    """
    prompts = [p for name, p in parameters.items() if name == "prompts"]
    tower = [p for name, p in parameters.items() if name != "prompts"]
    groups = [
        ([p for p in tower if p.ndim > 1], learning_rate, weight_decay),
        ([p for p in tower if p.ndim <= 1], learning_rate, 0.0),
        (prompts, prompt_learning_rate, 0.0),
    ]
    return torch.optim.AdamW(
        [
            {"params": members, "lr": rate, "peak": rate, "weight_decay": decay}
            for members, rate, decay in groups
            if members
        ],
        betas=(0.9, 0.98),
        eps=1e-6,
    )


def learning_rate_factor(step: int, steps: int, warmup_steps: int) -> float:
    """Factor on the peak learning rate at step 0 .. steps-1: a line up, then a cosine to 0."""
    if step < warmup_steps:
        return (step + 1) / warmup_steps
    done = (step - warmup_steps) / max(1, steps - warmup_steps)
    return 0.5 * (1 + math.cos(math.pi * done))
