"""Load the CLIP to adapt: the shipped miniature, an open_clip download, or a file."""

import difflib
import logging
import re
from pathlib import Path
from typing import Any

import open_clip
from open_clip.convert import convert_state_dict
from torch import Tensor

from pipeline.clip.store import MEAN, PROMPT_KEY, STD, build_from_config, load_clip
from pipeline.clip.tower import MaskClip
from pipeline.clip.view import ClipView, from_json
from pipeline.core.errors import MissingFileError, UserError
from pipeline.core.progress import report
from pipeline.weights.load_strict import as_one_number, describe_types, load_strict
from pipeline.weights.read import read_tensors
from pipeline.weights.state import strip_to

MINIATURE = Path(__file__).parent / "miniature"
OPENAI_EXTRAS = ("input_resolution", "context_length", "vocab_size")
"""Entries of OpenAI's own files that are not weights, by which these files are recognised."""


def base_clip(
    source: str, name: str | None, pretrained: str | None, checkpoint: str | None
) -> MaskClip:
    """Load the CLIP that the section base_clip of params.yaml describes, on the CPU.

    UserError if a value that the source needs is not set.
    """

    def needed(key: str, value: str | None) -> str:
        if not value:
            raise UserError(f"base_clip.{key} is not set, but base_clip.source: {source} needs it")
        return value

    if source == "shipped":
        return shipped_clip()
    if source == "open_clip":
        return build_open_clip(needed("name", name), needed("pretrained", pretrained))
    assert source == "checkpoint", source
    return clip_from_checkpoint(Path(needed("checkpoint", checkpoint)), name)


def shipped_clip() -> MaskClip:
    """Load the miniature CLIP in this repository, trained by stage `pretrain_clip`."""
    return load_clip(MINIATURE)


def build_open_clip(name: str, pretrained: str) -> MaskClip:
    """Build an open_clip model with the weights of one of its tags, downloaded or from the cache.

    UserError for a name or tag that open_clip does not know; MissingFileError, saying what to do,
    if the weights cannot be downloaded.
    """
    config = model_config(name)
    tags = open_clip.list_pretrained_tags_by_model(name)
    tag = open_clip.get_pretrained_cfg(name, pretrained)
    if not tag:
        raise UserError(
            f"base_clip.pretrained = {pretrained}: open_clip has no such weights for {name}, "
            f"it has: {', '.join(tags)}"
        )
    # OpenAI's and a few other weights were trained with the quick GELU, whatever the name says.
    config["quick_gelu"] = config.get("quick_gelu", False) or tag.get("quick_gelu", False)
    clip = build_from_config(config, tag["mean"], tag["std"], f"open_clip {name} {pretrained}")
    try:
        logging.getLogger("huggingface_hub").setLevel(logging.ERROR)  # one message is enough
        file = open_clip.download_pretrained(tag)
    except Exception as error:  # each of its sources raises other types
        hub = f"https://huggingface.co/{tag['hf_hub'].rstrip('/')}" if tag.get("hf_hub") else ""
        source = " or ".join(filter(None, (hub, tag.get("url"))))
        reason = str(error).splitlines()[0].rstrip(".")
        raise MissingFileError(
            f"the weights {pretrained} of {name} could not be downloaded from {source}: {reason}. "
            f"Download the file on a machine that reaches it, then set base_clip.source: "
            f"checkpoint, base_clip.name: {_name_of_file(name, tag)}, base_clip.checkpoint: FILE"
        ) from error
    open_clip.load_checkpoint(clip.clip, file, strict=True, weights_only=True)
    return clip.eval()


def _name_of_file(name: str, tag: dict[str, Any]) -> str:
    """Return the architecture's name including the activation, which weights do not show."""
    quick = f"{name}-quickgelu"
    return quick if tag.get("quick_gelu") and open_clip.get_model_config(quick) else name


def clip_from_checkpoint(path: Path, name: str | None) -> MaskClip:
    """Load a CLIP, with its mask prompts if it has some, from a local file: safetensors, a torch
    state dict or training checkpoint, or OpenAI's TorchScript archive. Reports what it recognised.

    name: open_clip's name of the architecture (ViT-B-16, ViT-L-14-quickgelu ...). None reads it
    from a file that `ovseg export` wrote, or infers it from the weights of a file of OpenAI's or
    one with mask prompts: both use quick GELU and heads of 64.
    """
    file = read_tensors(path)
    weights, prefix, outside = strip_to(file.tensors, (SIGN,), str(path))
    notes = list(file.notes)
    if prefix:
        beside = f"; left over: {', '.join(outside[:5])} ..." if outside else ""
        notes.append(f"keys are named without the {prefix} in front of the model{beside}")
    openai = any([weights.pop(key, None) is not None for key in OPENAI_EXTRAS])
    prompts = weights.pop(PROMPT_KEY, None)
    described = file.about.get("clip", {})
    mean, std = described.get("mean", MEAN), described.get("std", STD)
    if name is not None:
        config = model_config(name)
        config["quick_gelu"] = config.get("quick_gelu", False) or openai
    elif "model_cfg" in described:
        config = described["model_cfg"]
    elif openai or prompts is not None:
        config = config_of_weights(weights, path)
    else:
        raise UserError(
            f"{path}: the weights alone do not tell the activation, so set base_clip.name to "
            "open_clip's name of the architecture, such as ViT-B-16"
        )
    kind = name or ("as exported" if described else "OpenAI architecture")
    clip = build_from_config(config, mean, std, f"{path.name} ({kind})")
    clip.view = from_json(ClipView, described, str(path))
    weights = convert_state_dict(clip.clip, weights)
    for note in notes + as_one_number(weights, str(path)) + describe_types(weights):
        report(f"base_clip: {note}")
    load_strict(clip.clip, weights, str(path))
    clip.set_prompts(prompts)
    return clip.eval()


def model_config(name: str) -> dict[str, Any]:
    """Return open_clip's configuration of an architecture. UserError suggests similar names."""
    config = open_clip.get_model_config(name)
    if config is None:
        near = difflib.get_close_matches(name, open_clip.list_models(), n=5, cutoff=0.3)
        raise UserError(
            f"{name}: open_clip has no such model"
            + (f", near are {', '.join(near)}" if near else "")
        )
    return config


MAX_BLOCKS = 256
SIGN = "visual.conv1.weight"
"""A file without it holds no CLIP with a vision transformer."""
EXPECTED = ", expected the weights of a ViT CLIP in OpenAI's or open_clip's layout"


def config_of_weights(
    weights: dict[str, Tensor], path: Path | str, prefix: str = ""
) -> dict[str, Any]:
    """Infer the configuration of a ViT CLIP of OpenAI's architecture from tensor shapes.

    prefix: of the keys in the file; if given, the file is known to hold a CLIP. UserError, listing
    every missing weight, if one that shows the architecture is missing.
    """
    if SIGN not in weights and not prefix:
        raise UserError(f"{path}: no {SIGN} in it{EXPECTED}")
    missing: list[str] = []

    def shape(key: str, *usual: int) -> tuple[int, ...]:
        if key in weights:
            found = tuple(weights[key].shape)
            if len(found) != len(usual) or 0 in found:
                raise UserError(f"{path}: {prefix}{key} is {found}{EXPECTED}")
            return found
        missing.append(key)
        return usual

    usual = _last_of(weights, "visual.class_embedding", 768)
    size = 14 if usual == 1024 else 16
    width, _, patch, _ = shape(SIGN, usual, 3, size, size)
    places, _ = shape("visual.positional_embedding", (224 // patch) ** 2 + 1, width)
    context, text_width = shape("positional_embedding", 77, 512)
    _, embed_dim = shape("text_projection", text_width, _last_of(weights, "visual.proj", 512))
    words, _ = shape("token_embedding.weight", 49408, text_width)
    config = {
        "embed_dim": embed_dim,
        "quick_gelu": True,
        "vision_cfg": {
            "image_size": round((places - 1) ** 0.5) * patch,
            "patch_size": patch,
            "width": width,
            "layers": _blocks(weights, "visual.transformer.resblocks.", path),
        },
        "text_cfg": {
            "context_length": context,
            "vocab_size": words,
            "width": text_width,
            "heads": text_width // 64,
            "layers": _blocks(weights, "transformer.resblocks.", path),
        },
    }
    if missing:
        every = list(build_from_config(config).clip.state_dict())
        gone = ", ".join(prefix + key for key in every if key not in weights)
        raise UserError(f"{path}: no {gone} in it{EXPECTED}")
    return config


def _last_of(weights: dict[str, Tensor], key: str, usual: int) -> int:
    return weights[key].shape[-1] if key in weights and weights[key].ndim else usual


def _blocks(weights: dict[str, Tensor], prefix: str, path: Path | str) -> int:
    """Return one more than the highest block number, so that gaps show as missing weights; 12, the
    usual number, without any block. UserError for more than MAX_BLOCKS."""
    names = [k[len(prefix) :].split(".")[0] for k in weights if k.startswith(prefix)]
    blocks = max((int(name) for name in names if re.fullmatch("[0-9]{1,9}", name)), default=11) + 1
    if blocks > MAX_BLOCKS:
        raise UserError(f"{path}: {prefix}{blocks - 1} is no block of a CLIP{EXPECTED}")
    return blocks
