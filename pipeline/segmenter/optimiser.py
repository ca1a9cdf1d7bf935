"""AdamW as MaskFormer is trained with it, its schedule and its gradient clipping.

Norms, embeddings and position tables have no weight decay, the backbone has its own learning rate;
poly schedule (power 0.9) with linear warm-up; the gradient of the whole model is clipped to a norm
(paper section 4.1).
"""

import torch
from detectron2.engine import HookBase
from detectron2.projects.deeplab.lr_scheduler import WarmupPolyLR
from torch import nn

NORMS = (nn.modules.batchnorm._BatchNorm, nn.GroupNorm, nn.LayerNorm)
UNDECAYED = ("relative_position_bias_table", "absolute_pos_embed")
POWER = 0.9
WARMUP_FACTOR = 1e-6  # share of the learning rate at step 0, as published with the models


def adamw(
    model: nn.Module,
    learning_rate: float,
    backbone_multiplier: float,
    weight_decay: float,
) -> torch.optim.AdamW:
    """AdamW over the parameters of `model` that are trained.

    backbone_multiplier: learning rate of everything under `backbone.` relative to the rest.
    """
    groups: dict[tuple[float, float], list[nn.Parameter]] = {}
    for module_name, module in model.named_modules():
        for name, parameter in module.named_parameters(recurse=False):
            if not parameter.requires_grad:
                continue
            undecayed = isinstance(module, NORMS + (nn.Embedding,)) or name in UNDECAYED
            inside = "backbone" in module_name.split(".")
            rate = learning_rate * (backbone_multiplier if inside else 1.0)
            key = (rate, 0.0 if undecayed else weight_decay)
            groups.setdefault(key, []).append(parameter)
    return torch.optim.AdamW(
        [
            {"params": parameters, "lr": rate, "weight_decay": decay}
            for (rate, decay), parameters in groups.items()
        ],
        fused=True,
    )


def poly_schedule(optimizer: torch.optim.Optimizer, steps: int, warmup_steps: int) -> WarmupPolyLR:
    """Make the schedule: linear warm-up over `warmup_steps` times (1 - step / steps) ** POWER."""
    return WarmupPolyLR(
        optimizer,
        max(1, steps),
        warmup_factor=WARMUP_FACTOR,
        warmup_iters=warmup_steps,
        power=POWER,
    )


class GradNormClipping(HookBase):
    """Scales the gradient of all trained parameters to a norm of at most `max_norm` before each
    update."""

    def __init__(self, parameters: list[nn.Parameter], max_norm: float) -> None:
        self.parameters, self.max_norm = parameters, max_norm

    def after_backward(self) -> None:
        nn.utils.clip_grad_norm_(self.parameters, self.max_norm)
