"""Weights into a model, strictly: nothing is guessed, whatever differs is named."""

from collections.abc import Mapping

import torch
from torch import Tensor

from pipeline.errors import UserError


def fill(
    model: torch.nn.Module,
    weights: Mapping[str, Tensor],
    source: str,
    *,
    named: Mapping[str, str] | None = None,
    spare: bool = False,
    most: int | None = 5,
) -> list[str]:
    """Load a state dict in the model's own dtypes.

    source: where the weights are from, for messages. named: what the file calls a key, where that
    differs. spare: weights the model has no place for are no fault. most: keys a message names of
    each fault, None is all. Returns the keys it has no place for. UserError names what is
    missing, of another shape, not finite or, without `spare`, not in this architecture.
    """
    own, known = model.state_dict(), named or {}
    unknown = [key for key in weights if key not in own]
    shared = [key for key in own if key in weights]
    shapes = [
        f"{known.get(key, key)} is {tuple(weights[key].shape)} where {tuple(own[key].shape)} is "
        "expected"
        for key in shared
        if weights[key].shape != own[key].shape
    ]
    faults = {
        "missing": [key for key in own if key not in weights],
        "of another shape": shapes,
        "not in this architecture": [] if spare else [known.get(key, key) for key in unknown],
        "with NaN or infinite numbers": [
            known.get(key, key)
            for key in shared
            if not weights[key].to(own[key].dtype).isfinite().all()
        ],
    }
    if any(faults.values()):
        said = [f"{len(k)} {what}: {_some(k, most)}" for what, k in faults.items() if k]
        raise UserError(f"{source}: the weights do not fit the model: {'; '.join(said)}")
    model.load_state_dict({key: weights[key] for key in own})
    return unknown


def _some(keys: list[str], most: int | None) -> str:
    shown = ", ".join(keys[:most])
    return shown if most is None or len(keys) <= most else f"{shown} and {len(keys) - most} more"
