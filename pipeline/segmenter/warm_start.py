"""Start from other weights: an ImageNet backbone, a MaskFormer, an earlier run.

Tensors are chosen by name and shape, after translating the names of other libraries
(pipeline/checkpoints/backbone_names.py); the others are reported.
"""

from collections import Counter
from dataclasses import dataclass

from torch import Tensor, nn

from pipeline.checkpoints.backbone_names import to_detectron2
from pipeline.core.errors import UserError
from pipeline.weights.load_strict import FLOATS

BACKBONE = "backbone."
PREFIXES = ("", BACKBONE)
CONSTANTS = ("num_batches_tracked", "relative_position_index", "attn_mask")
"""Last parts of the names of untrained entries; if missing they are not reported."""
SHOWN = 8


@dataclass(frozen=True)
class WarmStart:
    """What a warm start loaded.

    loaded: keys of the model that were loaded; kept: keys that kept their initial values;
    left_over: keys of the file (in detectron2's names) that had no place, with the reason; names:
    the library whose names the file had.
    """

    loaded: list[str]
    kept: list[str]
    left_over: dict[str, str]
    names: str

    def describe(self, source: str) -> list[str]:
        """Describe the result in lines: counts; if the file has a backbone, which of our parameters
        it did not fill; which tensors had no place."""
        lines = [
            f"warm start: {len(self.loaded)} tensors from {source} ({self.names}), "
            f"{len(self.kept)} of the segmenter keep their initial values"
        ]
        ours = [key.removeprefix(BACKBONE) for key in self.kept if key.startswith(BACKBONE)]
        ours = [key for key in ours if not key.endswith(CONSTANTS)]
        if ours and any(key.startswith(BACKBONE) for key in self.loaded):
            lines.append(f"warm start: of the backbone these keep them: {_grouped(ours)}")
        without = {k: why for k, why in self.left_over.items() if not k.endswith(CONSTANTS)}
        if without:
            some = [f"{key} ({why})" for key, why in list(without.items())[:SHOWN]]
            more = f" and {len(without) - SHOWN} more" if len(without) > SHOWN else ""
            lines.append(f"warm start: no place for {', '.join(some)}{more}")
        return lines


def warm_start(model: nn.Module, weights: dict[str, Tensor], source: str) -> WarmStart:
    """Copy into `model` every tensor whose name (or `backbone.` + name) and shape fit.

    UserError if nothing fits, or if a frozen part of the backbone would stay random.
    """
    own = model.state_dict()
    weights, names = to_detectron2(weights, source)
    prefix = max(PREFIXES, key=lambda p: sum(p + key in own for key in weights))
    loaded, left_over = {}, {}
    for key, value in weights.items():
        name = prefix + key
        if name not in own:
            left_over[key] = "no such parameter"
        elif own[name].shape != value.shape:
            left_over[key] = f"shape {tuple(value.shape)}, here {tuple(own[name].shape)}"
        elif own[name].is_floating_point() and value.dtype not in FLOATS:
            left_over[key] = f"stored as {value.dtype}, expected plain floats"
        else:
            loaded[name] = value
    if not loaded:
        raise UserError(
            f"{source}: none of its {len(weights)} tensors fits this segmenter, "
            f"the first is {next(iter(left_over.items()))}; check segmenter.architecture"
        )
    _refuse_frozen_noise(model, loaded, source)
    model.load_state_dict(loaded, strict=False)
    return WarmStart(sorted(loaded), sorted(own.keys() - loaded.keys()), left_over, names)


def _refuse_frozen_noise(model: nn.Module, loaded: dict[str, Tensor], source: str) -> None:
    frozen = [n for n, p in model.named_parameters() if not p.requires_grad and n not in loaded]
    if frozen:
        raise UserError(
            f"{source}: fills no {_grouped(frozen)}, which freeze_at keeps from ever learning. "
            "Take weights of this very stem (detectron2's R-103.pkl or timm's resnet101s for the "
            "DeepLab stem), or set segmenter.architecture.backbone.freeze_at: 0"
        )


def _grouped(keys: list[str]) -> str:
    """Group parameters by module: "stem.conv1 (6), res2.0.shortcut (1)"."""
    modules = Counter(key.rpartition(".")[0].removesuffix(".norm") for key in keys)
    some = [f"{module} ({count})" for module, count in list(modules.items())[:SHOWN]]
    return ", ".join(some) + (f" and {len(modules) - SHOWN} more" if len(modules) > SHOWN else "")
