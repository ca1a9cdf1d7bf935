"""Which parameters of the segmenter decay, and how fast each learns (paper section 4.1)."""

from torch import nn

from pipeline.training.optimiser import Group

NORMS = (nn.modules.batchnorm._BatchNorm, nn.GroupNorm, nn.LayerNorm)
UNDECAYED = ("relative_position_bias_table", "absolute_pos_embed")


def parameter_groups(
    model: nn.Module, learning_rate: float, backbone_multiplier: float, weight_decay: float
) -> list[Group]:
    """Return the parameters of `model` that are trained, by learning rate and weight decay.

    Norms, embeddings and position tables have no weight decay. backbone_multiplier: learning rate
    of everything under `backbone.` relative to the rest.
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
    return [Group(parameters, rate, decay) for (rate, decay), parameters in groups.items()]
