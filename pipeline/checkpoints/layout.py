"""The layout of checkpoints of the original implementation.

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
"""Beginnings of the keys of models that can be imported, whole models first."""
PIXEL_RANGE = 255


def unit_colour(stored: Tensor, exact: Sequence[float] | None) -> tuple[float, ...]:
    """The mean or std (3,) of pixels in 0..1 from the one of pixels in 0..255.

    exact: the colour that the file itself records beside it, or None; returned where it gives the
    same `stored`, since dividing can miss the last bit.
    """
    if exact is not None and torch.equal(pixel_colour(torch.tensor(exact)), stored.cpu()):
        return tuple(exact)
    stored = stored.cpu()
    unit = (stored.flatten().double() / PIXEL_RANGE).float()
    for end in (-torch.inf, torch.inf):  # a neighbour where only that gives `stored` back
        beside = torch.nextafter(unit, torch.full_like(unit, end))
        better = (pixel_colour(beside) == stored) & (pixel_colour(unit) != stored)
        unit = torch.where(better.flatten(), beside, unit)
    return tuple(unit.tolist())


def pixel_colour(colour: Tensor) -> Tensor:
    """Inverse of `unit_colour`: (3,) of pixels in 0..1 -> float32 (1,3,1,1) of pixels in 0..255."""
    return (colour.detach().cpu().double() * PIXEL_RANGE).float().view(1, 3, 1, 1)


@dataclass
class Parts:
    """The tensors of a file by what they belong to, under our names (which are the original's).

    segmenter, clip: state dicts, empty where there is none; colours: the CLIP's mean and std as
    the file has them, of pixels in 0..255, where it does; left_over: the other keys, each with
    the reason; fixed_classes: how many classes a fixed class layer has, None without one; named:
    what the file calls the segmenter's keys; notes: what was recognised, for people.
    """

    segmenter: dict[str, Tensor] = field(default_factory=dict)
    clip: dict[str, Tensor] = field(default_factory=dict)
    colours: dict[str, Tensor] = field(default_factory=dict)
    left_over: dict[str, str] = field(default_factory=dict)
    fixed_classes: int | None = None
    named: dict[str, str] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)


def split(state: dict[str, Tensor], source: str) -> Parts:
    """Split the tensors of a checkpoint into its parts, after removing a prefix that training code
    has put before all keys of the model. UserError when it is none of the three kinds, or several.
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
    """True for a plain MaskFormer, whose class layer is no text."""
    return any(key in state for key in FIXED_CLASSES)


def _today(key: str) -> str:
    """Today's name of a key: MaskFormer's first checkpoints had the pixel decoder's weights
    directly under the head."""
    if key.startswith(HEAD) and not key.startswith((f"{HEAD}pixel_decoder.", f"{HEAD}predictor.")):
        return f"{HEAD}pixel_decoder.{key.removeprefix(HEAD)}"
    return key
