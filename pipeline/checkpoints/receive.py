"""A checkpoint of others as our models, with an account of every key.

Released files hold weights only. The architecture is read off their shapes, or given: as the
original's yaml configuration, as an open_clip name, or by the file itself where `ovseg export`
wrote it.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from pydantic import ValidationError
from torch import Tensor

from pipeline.checkpoints.file import CheckpointFile
from pipeline.checkpoints.layout import (
    CLASS_MLP,
    CLIP,
    COLOURS,
    NO_OBJECT,
    Parts,
    split,
    unit_colour,
)
from pipeline.clip.sources import config_of_weights, model_config
from pipeline.clip.store import MEAN, PROMPT_KEY, STD, build_from_config
from pipeline.clip.tower import MaskClip
from pipeline.segmenter.config import SegmenterConfig
from pipeline.segmenter.infer import infer_config
from pipeline.segmenter.maskformer import MaskFormer
from pipeline.segmenter.original import segmenter_config


@dataclass(frozen=True)
class Imported:
    """What a file gave.

    used: keys of the file that now are weights here. left_over: all its other keys and entries,
    each with the reason. filled: weights of ours that the file lacks, each with what it holds
    instead. notes: assumptions made on the way, for people.
    """

    segmenter: MaskFormer | None
    clip: MaskClip | None
    used: list[str]
    left_over: dict[str, str]
    filled: dict[str, str] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)


def receive(
    file: CheckpointFile,
    source: Path,
    *,
    clip_name: str | None = None,
    clip_dim: int | None = None,
    original_config: Mapping[str, Any] | None = None,
    prompts: Tensor | None = None,
) -> Imported:
    """The models in a checkpoint of any of the kinds in `pipeline.checkpoints.layout`.

    source: where the file lies, for messages and names. clip_name: open_clip's name of the
    CLIP's architecture; None reads it off the weights. clip_dim: width of the text features,
    needed only for a segmenter with a fixed class layer. original_config: the original's yaml
    configuration, for a segmenter that differs from the published ones in what no shape tells
    (attention heads, dilation). prompts: mask prompts kept in a file of their own. Models come in
    evaluation mode, on the CPU. ValueError names every weight that is missing or of another
    shape.
    """
    parts = split(file.tensors, str(source))
    left_over = dict.fromkeys(file.others, "not a weight") | parts.left_over
    filled: dict[str, str] = {}
    notes: list[str] = []
    segmenter = clip = None
    if parts.segmenter:
        config = _segmenter_config(parts, file, clip_dim, original_config, source)
        segmenter = MaskFormer(config)
        filled = _fill_class_head(segmenter, parts)
        unknown = _load(segmenter, parts.segmenter, f"{source}: segmenter")
        left_over |= {parts.named[key]: why for key, why in unknown.items()}
        if parts.fixed_classes is not None:
            notes.append(
                f"masks only: its {parts.fixed_classes} classes are a fixed layer, so the "
                "segmenter has no opinion on names; CLIP gives them (all modes but segmenter)"
            )
    if parts.clip:
        clip, unknown = _clip(parts, file, clip_name, prompts, source, notes)
        prefix = CLIP if parts.segmenter else ""
        left_over |= {prefix + key: why for key, why in unknown.items()}
    elif prompts is not None:
        raise ValueError(f"{source}: holds no CLIP that the mask prompts could belong to")
    used = [key for key in file.tensors if key not in left_over]
    return Imported(
        segmenter and segmenter.eval(), clip and clip.eval(), used, left_over, filled, notes
    )


def _segmenter_config(
    parts: Parts,
    file: CheckpointFile,
    clip_dim: int | None,
    original: Mapping[str, Any] | None,
    source: Path,
) -> SegmenterConfig:
    try:
        if "segmenter" in file.about:
            return SegmenterConfig.model_validate(file.about["segmenter"])
        if original is not None:
            fixed = parts.fixed_classes is not None
            return segmenter_config(_with_class_head(original, clip_dim) if fixed else original)
        if parts.fixed_classes is not None and clip_dim is None:
            raise ValueError(
                "a plain MaskFormer: name the width of the CLIP it shall go with, --clip-dim 512 "
                "for ViT-B/16, 768 for ViT-L/14"
            )
        return infer_config(parts.segmenter, clip_dim=clip_dim)
    except KeyError as error:
        raise ValueError(f"{source}: its yaml configuration has no {error}") from error
    except ValidationError as error:
        raise ValueError(f"{source}: not a segmenter's architecture: {error}") from error
    except ValueError as error:
        raise ValueError(f"{source}: {error}") from error


def _with_class_head(original: Mapping[str, Any], clip_dim: int | None) -> dict[str, Any]:
    """A plain MaskFormer's configuration with what an OVSeg's says of the class head."""
    model = original.get("MODEL", original)
    if "SEM_SEG_HEAD" not in model or clip_dim is None:
        return dict(original)
    defaults = SegmenterConfig.model_fields
    head = {
        "EMBEDDING_DIM": clip_dim,
        "EMBED_HIDDEN_DIM": defaults["class_hidden"].default,
        "EMBED_LAYERS": defaults["class_layers"].default,
    }
    return {"MODEL": {**model, "SEM_SEG_HEAD": head | dict(model["SEM_SEG_HEAD"])}}


def _fill_class_head(segmenter: MaskFormer, parts: Parts) -> dict[str, str]:
    """Without a class head of its own, zeros: every class and "no object" are equally likely."""
    if parts.fixed_classes is None:
        return {}
    own = segmenter.state_dict()
    names = [key for key in own if key.startswith(CLASS_MLP) or key == NO_OBJECT]
    lacking = [key for key in names if key not in parts.segmenter]
    parts.segmenter.update({key: torch.zeros_like(own[key]) for key in lacking})
    return dict.fromkeys(lacking, "zeros: no opinion on names")


def _clip(
    parts: Parts,
    file: CheckpointFile,
    name: str | None,
    prompts: Tensor | None,
    source: Path,
    notes: list[str],
) -> tuple[MaskClip, dict[str, str]]:
    weights = dict(parts.clip)
    own_prompts = weights.pop(PROMPT_KEY, None)
    about = file.about.get("clip", {})
    if name is not None:
        config = model_config(name)
    elif about:
        config = about["model_cfg"]
    else:
        config = config_of_weights(weights, source)
        notes.append("CLIP read off its weights: quick GELU and heads of 64, as in OpenAI's")
    mean, std = (
        unit_colour(parts.colours[key], about.get(which)) if key in parts.colours else default
        for key, which, default in zip(
            COLOURS,
            ("mean", "std"),
            (about.get("mean", MEAN), about.get("std", STD)),
            strict=True,
        )
    )
    clip = build_from_config(config, mean, std, about.get("name", source.name))
    unknown = _load(clip.clip, weights, f"{source}: CLIP")
    clip.set_prompts(own_prompts if prompts is None else prompts)
    return clip, unknown


def _load(model: torch.nn.Module, state: dict[str, Tensor], what: str) -> dict[str, str]:
    """Fill `model`; returns the keys of `state` it has no place for, with the reason."""
    own = model.state_dict()
    missing = [key for key in own if key not in state]
    shapes = [
        f"{key} is {tuple(state[key].shape)} where {tuple(own[key].shape)} is expected"
        for key in own
        if key in state and state[key].shape != own[key].shape
    ]
    if missing or shapes:
        faults = {"missing": missing, "of another shape": shapes}
        said = [f"{len(keys)} {fault}: {', '.join(keys)}" for fault, keys in faults.items() if keys]
        raise ValueError(f"{what}: {'; '.join(said)}")
    model.load_state_dict({key: state[key] for key in own})
    return {key: "no such weight in this architecture" for key in state if key not in own}
