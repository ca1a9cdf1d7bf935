"""The layout of a checkpoint of the original implementation.

A released file is detectron2's `{"model": state dict}`:

    backbone.*  sem_seg_head.*             the segmenter
    clip_adapter.non_object_embedding      the segmenter's learned "no object"
    clip_adapter.clip_model.*              the CLIP, mask prompts as visual.mask_embedding
    clip_adapter.pixel_mean, pixel_std     the CLIP's colours, (1,3,1,1), of pixels in 0..255
    criterion.empty_weight                 class weights of the training loss, (K+1,)

The CLIP training code's files hold a bare CLIP; a plain MaskFormer's holds a segmenter with a
fixed class layer.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field

import torch
from torch import Tensor

from pipeline.core.errors import UserError
from pipeline.weights.state import strip_to

CLIP = "clip_adapter.clip_model."
COLOURS = ("clip_adapter.pixel_mean", "clip_adapter.pixel_std")
NO_OBJECT = "clip_adapter.non_object_embedding"
CLASS_WEIGHTS = "criterion.empty_weight"
HEAD = "sem_seg_head."
CLASS_MLP = f"{HEAD}predictor.class_embed.layers."
FIXED_CLASSES = (f"{HEAD}predictor.class_embed.weight", f"{HEAD}predictor.class_embed.bias")
CLIP_SIGN = "visual.conv1.weight"
SIGNS = (HEAD, "clip_adapter.", CLIP_SIGN)
"""Prefixes of the keys of a model that can be imported, whole models first."""
PIXEL_RANGE = 255


def unit_colour(stored: Tensor, exact: Sequence[float] | None) -> tuple[float, float, float]:
    """Convert a mean or std (3,) of pixels in 0..255 to one of pixels in 0..1.

    exact: the original value, if the file states it: used if it is the same colour, since division
    can change the last bit.
    """
    if exact is not None and torch.equal(pixel_colour(torch.tensor(exact)), stored.cpu()):
        red, green, blue = exact
        return red, green, blue
    stored = stored.cpu()
    unit = (stored.flatten().double() / PIXEL_RANGE).float()
    for end in (-torch.inf, torch.inf):  # a neighbouring float, if only that restores `stored`
        beside = torch.nextafter(unit, torch.full_like(unit, end))
        better = (pixel_colour(beside) == stored) & (pixel_colour(unit) != stored)
        unit = torch.where(better.flatten(), beside, unit)
    red, green, blue = unit.tolist()
    return red, green, blue


def pixel_colour(colour: Tensor) -> Tensor:
    """Convert a colour (3,) of pixels in 0..1 to float32 (1,3,1,1) of pixels in 0..255."""
    return (colour.detach().cpu().double() * PIXEL_RANGE).float().view(1, 3, 1, 1)


@dataclass
class Parts:
    """The tensors of a file, sorted by model, under our names (which are the original's).

    segmenter, clip: state dicts, empty if the file has none; colours: the CLIP's mean and std of
    pixels in 0..255, if the file has them; left_over: the other keys, each with the reason;
    fixed_classes: number of classes of a fixed class layer, None without one; named: our key -> the
    file's, for the segmenter; notes: what was recognised, to be printed.
    """

    segmenter: dict[str, Tensor] = field(default_factory=dict)
    clip: dict[str, Tensor] = field(default_factory=dict)
    colours: dict[str, Tensor] = field(default_factory=dict)
    left_over: dict[str, str] = field(default_factory=dict)
    fixed_classes: int | None = None
    named: dict[str, str] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)


def split(state: dict[str, Tensor], source: str) -> Parts:
    """Sort the tensors of a checkpoint; a prefix that training code put before the whole model is
    removed. UserError if the file is none of the three kinds, or several.
    """
    state, prefix, outside = strip_to(state, SIGNS, source)
    notes = [f"keys are named without the {prefix} in front of the model"] if prefix else []
    left_over = dict.fromkeys(outside, f"not under {prefix}, where the model is")
    if CLIP_SIGN in state:
        return Parts(clip=dict(state), left_over=left_over, notes=notes)
    parts = Parts(left_over=left_over, notes=notes)
    for key, value in state.items():
        if key.startswith(CLIP):
            parts.clip[key.removeprefix(CLIP)] = value
        elif key in COLOURS:
            parts.colours[key] = value
        elif key == CLASS_WEIGHTS:
            parts.left_over[key] = "a constant of the training loss"
        elif key in FIXED_CLASSES:
            parts.left_over[key] = "fixed class layer: classes are text here"
            parts.fixed_classes = len(value) - 1  # the last one is "no object"
        elif key.startswith(("backbone.", HEAD)) or key == NO_OBJECT:
            parts.segmenter[_today(key)] = value
            parts.named[_today(key)] = key
        else:
            parts.left_over[key] = "belongs to no part of this model"
    if not parts.clip and not any(key.startswith(HEAD) for key in parts.segmenter):
        raise UserError(
            f"{source}: not a checkpoint that can be imported: it has neither {CLIP_SIGN} (a CLIP) "
            f"nor {HEAD}* (OVSeg, MaskFormer), but {', '.join(list(state)[:3])} ..."
        )
    return parts


def has_fixed_classes(state: dict[str, Tensor]) -> bool:
    """Return whether this is a plain MaskFormer, with a fixed class layer instead of text."""
    return any(key in state for key in FIXED_CLASSES)


def _today(key: str) -> str:
    """Rename keys of MaskFormer's first checkpoints: pixel decoder right under the head."""
    if key.startswith(HEAD) and not key.startswith((f"{HEAD}pixel_decoder.", f"{HEAD}predictor.")):
        return f"{HEAD}pixel_decoder.{key.removeprefix(HEAD)}"
    return key
