"""Import a checkpoint as our models, with an account of every key.

Released files hold weights only. The architecture of a published model is recognised; any other is
given: as the original's yaml configuration, as an open_clip name, or by the file itself if
`ovseg export` wrote it.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from pipeline.checkpoints.architecture import PUBLISHED, recognise
from pipeline.checkpoints.layout import (
    CLASS_MLP,
    CLIP,
    COLOURS,
    NO_OBJECT,
    Parts,
    split,
    unit_colour,
)
from pipeline.checkpoints.original import segmenter_config, segmenter_view
from pipeline.clip.sources import config_of_weights, model_config
from pipeline.clip.store import MEAN, PROMPT_KEY, STD, build_from_config
from pipeline.clip.tower import Colour, MaskClip
from pipeline.clip.view import ClipView, SegmenterView, from_json
from pipeline.core.errors import UserError
from pipeline.maskformer.config import SegmenterConfig
from pipeline.maskformer.maskformer import MaskFormer
from pipeline.maskformer.store import CLASSES, read_description
from pipeline.maskformer.trained_classes import read_classes
from pipeline.weights.load_strict import as_one_number, describe_types, load_strict
from pipeline.weights.read import TensorFile

NO_PLACE = "no such weight in this architecture"


@dataclass
class Imported:
    """The result of an import.

    used: keys of the file that became weights here. left_over: its other keys and entries, each
    with the reason. filled: weights of ours that the file lacks, each with what it was filled with.
    notes: assumptions that were made, to be printed.
    """

    segmenter: MaskFormer | None = None
    clip: MaskClip | None = None
    used: list[str] = field(default_factory=list)
    left_over: dict[str, str] = field(default_factory=dict)
    filled: dict[str, str] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)

    def note(self, key: str, why: str | None) -> None:
        """Record a key of the file as used, or as left over if there is a reason."""
        if why is None:
            self.used.append(key)
        else:
            self.left_over[key] = why


def import_checkpoint(
    file: TensorFile,
    source: Path,
    *,
    clip_name: str | None = None,
    clip_dim: int | None = None,
    architecture: SegmenterConfig | Mapping[str, Any] | None = None,
    prompts: Tensor | None = None,
) -> Imported:
    """Load the models of a checkpoint of any kind in `pipeline.checkpoints.layout`.

    source: path of the file, for messages and names. clip_name: open_clip's name of the CLIP's
    architecture; None infers it from the weights. clip_dim: width of the text features, needed only
    for a segmenter with a fixed class layer. architecture: of the segmenter, also as the original's
    yaml configuration or the content of a segmenter.json; None for a published one. prompts: mask
    prompts from a separate file. Returns models in evaluation mode, on the CPU. UserError names
    every weight that is missing or of another shape.
    """
    parts = split(file.tensors, str(source))
    result = _start_import(file, parts)
    faults = []
    if parts.segmenter:
        try:
            result.segmenter = _segmenter(parts, file, clip_dim, architecture, source, result)
        except UserError as error:
            faults.append(error)
    if parts.clip:
        try:
            result.clip = _clip(parts, file, clip_name, prompts, source, result)
        except UserError as error:
            faults.append(error)
    if faults:
        raise UserError("\n".join(map(str, faults))) from faults[0]
    if not parts.clip and prompts is not None:
        raise UserError(f"{source}: holds no CLIP that the mask prompts could belong to")
    if result.segmenter and result.clip:
        expected, width = result.segmenter.config.clip_dim, result.clip.model_cfg["embed_dim"]
        if expected != width:
            raise UserError(
                f"{source}: its segmenter is for text features of width {expected}, its CLIP's "
                f"have {width}: not from one model"
            )
    return result


def import_segmenter(
    file: TensorFile, source: Path, clip_dim: int, architecture: SegmenterConfig
) -> Imported:
    """Import only the segmenter of a checkpoint; its CLIP is left over.

    clip_dim: width of the text features to be used with it. architecture: of a file that neither
    describes itself nor is of a published architecture. Otherwise like `import_checkpoint`;
    UserError if the file holds no segmenter, or one for another width.
    """
    parts = split(file.tensors, str(source))
    if not parts.segmenter:
        raise UserError(f"{source}: holds a CLIP and no segmenter")
    others = dict.fromkeys([CLIP + key for key in parts.clip] + [*parts.colours], "the CLIP's")
    result = _start_import(file, parts)
    result.left_over |= others
    given = None if "segmenter" in file.about else recognise(parts.segmenter, architecture)
    try:
        result.segmenter = _segmenter(parts, file, clip_dim, given, source, result)
    except UserError as error:
        if given is not architecture:
            raise
        raise UserError(
            f"{error}; of a file that is none of the published ({', '.join(PUBLISHED)}), "
            "segmenter.architecture must say the architecture"
        ) from error
    return result


def _start_import(file: TensorFile, parts: Parts) -> Imported:
    """Start the account of a file, before any weight is used."""
    left_over = dict.fromkeys(file.others, "not a weight") | parts.left_over
    return Imported(left_over=left_over, notes=[*file.notes, *parts.notes])


def _segmenter(
    parts: Parts,
    file: TensorFile,
    clip_dim: int | None,
    given: SegmenterConfig | Mapping[str, Any] | None,
    source: Path,
    result: Imported,
) -> MaskFormer:
    if "segmenter" in file.about and given is not None:
        result.notes.append("the configuration is not used: the file describes itself")
    config, view = _architecture(parts, file, clip_dim, given, source)
    segmenter = MaskFormer(config)
    segmenter.view = view
    if CLASSES in file.about:
        segmenter.trained = read_classes(file.about[CLASSES], config.clip_dim, str(source))
    width = segmenter.config.clip_dim
    if parts.fixed_classes is None and clip_dim not in (None, width):
        raise UserError(f"{source}: its segmenter is for a CLIP of width {width}, not {clip_dim}")
    result.filled.update(_fill_class_head(segmenter, parts))
    named, what = parts.named, f"{source}: segmenter"
    unknown = load_strict(segmenter, parts.segmenter, what, named=named, spare=True, max_keys=None)
    result.notes += [f"segmenter: {line}" for line in describe_types(parts.segmenter)]
    for key, name in named.items():
        result.note(name, NO_PLACE if key in unknown else None)
    if parts.fixed_classes is not None:
        result.notes.append(
            f"masks only: its {parts.fixed_classes} classes are a fixed layer, so the "
            "segmenter has no opinion on names; CLIP gives them (all modes but segmenter)"
        )
    return segmenter.eval()


def _architecture(
    parts: Parts,
    file: TensorFile,
    clip_dim: int | None,
    given: SegmenterConfig | Mapping[str, Any] | None,
    source: Path,
) -> tuple[SegmenterConfig, SegmenterView]:
    if "segmenter" in file.about:
        return read_description(file.about["segmenter"], str(source))
    fixed = parts.fixed_classes is not None
    try:
        if fixed and clip_dim is None:
            raise UserError(
                "a plain MaskFormer: name the width of the CLIP it shall go with, --clip-dim 512 "
                "for ViT-B/16, 768 for ViT-L/14"
            )
        view = SegmenterView()
        if isinstance(given, Mapping) and "backbone" in given:
            given, view = read_description(given, "the configuration given")
        if isinstance(given, Mapping):
            whole = _with_class_head(given, clip_dim) if fixed else given
            return _translate_config(whole), segmenter_view(given)
        config = given or recognise(parts.segmenter)
    except UserError as error:
        raise UserError(f"{source}: {error}") from error
    width = clip_dim if fixed else parts.segmenter.get(NO_OBJECT, torch.empty(0)).numel()
    return config.model_copy(update={"clip_dim": width or config.clip_dim}), view


def _translate_config(original: Mapping[str, Any]) -> SegmenterConfig:
    try:
        return segmenter_config(original)
    except KeyError as error:
        hint = ""
        if base := original.get("_BASE_"):
            hint = f"; it builds on {base}: give the full config.yaml that training wrote"
        raise UserError(f"its yaml configuration has no {error}{hint}") from error
    except (AttributeError, TypeError) as error:  # a value where detectron2 has a section
        raise UserError(f"its yaml configuration is not detectron2's: {error}") from error


def _with_class_head(original: Mapping[str, Any], clip_dim: int | None) -> dict[str, Any]:
    """Add the class head of an OVSeg configuration to that of a plain MaskFormer."""
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
    """Fill a missing class head with zeros: every class and "no object" become equally likely."""
    if parts.fixed_classes is None:
        return {}
    own = segmenter.state_dict()
    names = [key for key in own if key.startswith(CLASS_MLP) or key == NO_OBJECT]
    lacking = [key for key in names if key not in parts.segmenter]
    parts.segmenter.update({key: torch.zeros_like(own[key]) for key in lacking})
    return dict.fromkeys(lacking, "zeros: no opinion on names")


def _clip(
    parts: Parts,
    file: TensorFile,
    name: str | None,
    prompts: Tensor | None,
    source: Path,
    result: Imported,
) -> MaskClip:
    weights, prefix = dict(parts.clip), CLIP if parts.segmenter else ""
    own_prompts = weights.pop(PROMPT_KEY, None)
    about = file.about.get("clip") or {}
    config: Any
    if name is not None:
        config = model_config(name)
    elif about:
        config = about.get("model_cfg")
    else:
        config = config_of_weights(weights, source, prefix)
        result.notes.append("CLIP read off its weights: quick GELU and heads of 64, as in OpenAI's")
    try:
        mean, std = (_colour(parts, about, *which, result) for which in _COLOUR_NAMES)
        clip = build_from_config(config, mean, std, about.get("name", source.name))
    except UserError as error:
        raise UserError(f"{source}: {error}") from error
    except Exception as error:  # open_clip may raise anything on an invalid configuration
        raise UserError(f"{source}: describes no CLIP that can be built ({error!r})") from error
    notes = as_one_number(weights, f"{source}: CLIP") + describe_types(weights)
    result.notes += [f"CLIP: {line}" for line in notes]
    named = {key: prefix + key for key in weights}
    clip.view = from_json(ClipView, about, str(source))
    unknown = load_strict(
        clip.clip, weights, f"{source}: CLIP", named=named, spare=True, max_keys=None
    )
    for key in weights:
        result.note(prefix + key, NO_PLACE if key in unknown else None)
    if own_prompts is not None:
        replaced = "replaced by the mask prompts given (--prompts)"
        result.note(prefix + PROMPT_KEY, None if prompts is None else replaced)
    elif prefix and prompts is None:
        result.filled[prefix + PROMPT_KEY] = "no mask prompts"
    try:
        clip.set_prompts(own_prompts if prompts is None else prompts)
    except UserError as error:
        raise UserError(f"{source}: {error}") from error
    return clip.eval()


_COLOUR_NAMES = ((COLOURS[0], "mean", MEAN), (COLOURS[1], "std", STD))


def _colour(
    parts: Parts, about: Mapping[str, Any], key: str, which: str, default: Colour, result: Imported
) -> Colour:
    """Return the mean or std of pixels in 0..1: the file's tensor, else its description, else
    OpenAI's."""
    if key in parts.colours:
        stored = parts.colours[key]
        if stored.numel() != 3:
            raise UserError(f"{key} is {tuple(stored.shape)} where (1, 3, 1, 1) is expected")
        result.used.append(key)
        return unit_colour(stored.reshape(1, 3, 1, 1), about.get(which))
    if which in about:
        return about[which]
    if parts.segmenter:
        result.filled[key] = f"OpenAI's {which} of colours"
    return default
