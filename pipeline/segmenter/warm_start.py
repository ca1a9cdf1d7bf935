"""Starting from weights of something else: an ImageNet backbone, a MaskFormer, an earlier run.

What is taken is decided by name and shape; what is not is said.
"""

from dataclasses import dataclass

from torch import Tensor, nn

PREFIXES = ("", "backbone.")


@dataclass(frozen=True)
class WarmStart:
    """Keys of the model that were filled, keys that kept their initial values, and keys of the
    file that had no place (with the reason)."""

    taken: list[str]
    kept: list[str]
    left_over: dict[str, str]


def warm_start(model: nn.Module, weights: dict[str, Tensor], source: str) -> WarmStart:
    """Copy into `model` every tensor whose name (or `backbone.` + name) and shape fit.

    ValueError when nothing fits.
    """
    own = model.state_dict()
    prefix = max(PREFIXES, key=lambda p: sum(p + key in own for key in weights))
    taken, left_over = {}, {}
    for key, value in weights.items():
        name = prefix + key
        if name not in own:
            left_over[key] = "no such parameter"
        elif own[name].shape != value.shape:
            left_over[key] = f"shape {tuple(value.shape)}, here {tuple(own[name].shape)}"
        else:
            taken[name] = value
    if not taken:
        raise ValueError(
            f"{source}: none of its {len(weights)} tensors fits this segmenter, "
            f"the first is {next(iter(left_over.items()))}; check segmenter.architecture"
        )
    model.load_state_dict(taken, strict=False)
    return WarmStart(sorted(taken), sorted(own.keys() - taken.keys()), left_over)
