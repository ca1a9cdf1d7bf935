"""Load weights into a model strictly: every difference is an error that names it."""

import math
from collections.abc import Mapping

import torch
from torch import Tensor

from pipeline.core.errors import UserError

FLOATS = (torch.float32, torch.float16, torch.bfloat16, torch.float64)
"""Types of stored weights that can be loaded."""
ONE_NUMBER = ("logit_scale", "logit_bias")
"""Scalar weights of a CLIP, which some files store as a tensor (1,)."""
SCALE = "logit_scale"
MAX_LOG, MIN_FACTOR, MAX_FACTOR = 7.0, 10.0, 1000.0
"""A scale up to MAX_LOG is the logarithm of a factor of at most 1,097; one from MIN_FACTOR on
would be that of 22,026 and more, which no CLIP has, so it is the factor itself."""


def describe_types(weights: Mapping[str, Tensor]) -> list[str]:
    """Return a note if weights are stored in other floats than float32."""
    stored = {weight.dtype for weight in weights.values() if weight.dtype in FLOATS}
    names = sorted(str(dtype).removeprefix("torch.") for dtype in stored - {torch.float32})
    return [f"weights stored as {', '.join(names)} are kept as float32"] if names else []


def as_one_number(weights: dict[str, Tensor], source: str) -> list[str]:
    """Reshape scalar weights to () and replace a scale stored as a factor by its logarithm.
    Return a note for each that was changed. UserError, naming `source`, for a scale that is
    neither."""
    notes = []
    for key in ONE_NUMBER:
        if key in weights and weights[key].ndim and weights[key].numel() == 1:
            notes.append(f"{key} is {tuple(weights[key].shape)}, read as the one number it holds")
            weights[key] = weights[key].reshape(())
    scale = weights.get(SCALE)
    if scale is None or scale.ndim or scale.dtype not in FLOATS or not scale.isfinite():
        return notes  # `load_strict` says what is wrong with it
    value = scale.item()
    if MIN_FACTOR <= value <= MAX_FACTOR:
        log = math.log(value)
        notes.append(f"{SCALE} is {value:g}, the factor itself, read as its logarithm {log:.4f}")
        weights[SCALE] = torch.tensor(log)
    elif not 0 <= value <= MAX_LOG:
        raise UserError(
            f"{source}: {SCALE} is {value:g}; expected the logarithm of the factor on similarities "
            f"(0 to {MAX_LOG:g}, CLIP's is log(100) = 4.6052), or the factor itself "
            f"({MIN_FACTOR:g} to {MAX_FACTOR:g}): store one of them"
        )
    return notes


def load_strict(
    model: torch.nn.Module,
    weights: Mapping[str, Tensor],
    source: str,
    *,
    named: Mapping[str, str] | None = None,
    spare: bool = False,
    max_keys: int | None = 5,
) -> list[str]:
    """Load a state dict in the model's own dtypes: any float type becomes the model's.

    source: where the weights are from, for messages. named: our key -> the file's, if different.
    spare: allow weights that the model has no place for. max_keys: keys named per fault, None for
    all. Returns the keys that the model has no place for, which are an error without `spare`.
    UserError names weights that are missing, of another shape, not of a plain float type or not
    finite.
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
    typed = {
        key: str(weights[key].dtype).removeprefix("torch.")
        for key in shared
        if own[key].is_floating_point() and weights[key].dtype not in FLOATS
    }
    faults = {
        "missing": [key for key in own if key not in weights],
        "of another shape": shapes,
        f"no plain floats but {', '.join(sorted(set(typed.values())))}, as quantised weights are "
        f"(give the model before it was quantised)": [known.get(key, key) for key in typed],
        "not in this architecture": [] if spare else [known.get(key, key) for key in unknown],
        "with NaN or infinite numbers": [
            known.get(key, key)
            for key in shared
            if weights[key].shape == own[key].shape
            and key not in typed
            and not weights[key].to(own[key].dtype).isfinite().all()
        ],
    }
    if any(faults.values()):
        listed = [f"{len(k)} {what}: {_some(k, max_keys)}" for what, k in faults.items() if k]
        raise UserError(f"{source}: the weights do not fit the model: {'; '.join(listed)}")
    model.load_state_dict({key: weights[key] for key in own})
    return unknown


def _some(keys: list[str], max_keys: int | None) -> str:
    shown = keys[:max_keys]
    hidden = len(keys) - len(shown)
    return ", ".join(shown) + (f" and {hidden} more" if hidden else "")
