"""Export our models as files that open_clip and the original OVSeg load."""

import json
from dataclasses import fields
from pathlib import Path
from typing import Any

import open_clip
import torch
from safetensors.torch import save
from torch import Tensor

from pipeline.checkpoints.layout import CLASS_WEIGHTS, CLIP, COLOURS, pixel_colour
from pipeline.clip.store import PROMPT_KEY, save_tensors
from pipeline.clip.tower import MaskClip
from pipeline.clip.view import VIEW, to_json
from pipeline.core.files.atomic import replacing, write_text
from pipeline.maskformer.maskformer import MaskFormer
from pipeline.maskformer.store import CLASSES, description
from pipeline.weights.read import ABOUT

CLIP_FILE, PROMPTS_FILE, MODEL_FILE = "clip.safetensors", "prompts.safetensors", "ovseg.pth"
OWN_NAME = "ovseg-clip"
"""Name of an architecture that open_clip does not list."""
NO_OBJECT_WEIGHT = 0.1
PUBLISHED_CLASSES = 171


def export_clip(folder: Path, clip: MaskClip) -> tuple[str, bool]:
    """Write `clip` so that `open_clip.create_model(NAME, pretrained=FILE)` loads it: the weights
    to clip.safetensors, mask prompts to prompts.safetensors where there are some.

    Returns NAME and whether open_clip knows it. If not, NAME.json is written beside the weights,
    for `open_clip.add_model_config`.
    """
    weights = {key: v.detach().cpu().contiguous() for key, v in clip.clip.state_dict().items()}
    metadata = {"format": "pt", ABOUT: json.dumps({"clip": _about(clip)})}
    with replacing(Path(folder) / CLIP_FILE) as temporary:
        temporary.write_bytes(save(weights, metadata))
    prompts = Path(folder) / PROMPTS_FILE
    if clip.prompts is None:
        prompts.unlink(missing_ok=True)
    else:
        save_tensors(prompts, {PROMPT_KEY: clip.prompts.detach().cpu()})
    name = open_clip_name(clip.model_cfg)
    if name is not None:
        return name, True
    write_text(Path(folder) / f"{OWN_NAME}.json", json.dumps(clip.model_cfg, indent=1) + "\n")
    return OWN_NAME, False


def export_model(
    file: Path, segmenter: MaskFormer, clip: MaskClip, classes: int | None = None
) -> dict[str, Tensor]:
    """Write segmenter and CLIP as one checkpoint in the original's layout; returns its tensors.

    classes: how many the segmenter was trained on, None for those it knows, else the published
    models' 171; only sets the size of the loss's constant weights, which the original's code
    expects. Architecture, views and the trained classes go into a separate entry beside `model`,
    which detectron2 ignores and `ovseg import` reads.
    """
    if classes is None:
        trained = segmenter.trained
        classes = PUBLISHED_CLASSES if trained is None else len(trained.names)
    state = original_layout(segmenter, clip, classes)
    about = {"segmenter": description(segmenter), "clip": _about(clip)}
    if segmenter.trained is not None:
        about[CLASSES] = segmenter.trained.to_record()
    with replacing(file) as temporary:
        torch.save({"model": state, ABOUT: about}, temporary)
    return state


def original_layout(segmenter: MaskFormer, clip: MaskClip, classes: int) -> dict[str, Tensor]:
    """Build a released checkpoint's state dict, in its order (pipeline/checkpoints/layout.py)."""
    own = {key: value.detach().cpu().contiguous() for key, value in segmenter.state_dict().items()}
    state = {key: value for key, value in own.items() if not key.startswith("clip_adapter.")}
    state[CLASS_WEIGHTS] = torch.tensor([1.0] * classes + [NO_OBJECT_WEIGHT])
    state |= {key: value for key, value in own.items() if key.startswith("clip_adapter.")}
    for key, colour in zip(COLOURS, (clip.mean, clip.std), strict=True):
        state[key] = pixel_colour(colour)
    patches, width = clip.prompt_shape
    prompts = torch.zeros(0, patches, width) if clip.prompts is None else clip.prompts
    for key, value in clip.clip.state_dict().items():
        state[CLIP + key] = value.detach().cpu().contiguous()
        if key == "visual.proj":
            state[CLIP + PROMPT_KEY] = prompts.detach().cpu().contiguous()
    return state


def open_clip_name(model_cfg: dict[str, Any]) -> str | None:
    """Find open_clip's name for a configuration, the shortest of several; None without one."""
    config = _with_defaults(model_cfg)
    names = open_clip.list_models()
    same = [name for name in names if _with_defaults(open_clip.get_model_config(name)) == config]
    return min(same, key=len, default=None)


def _with_defaults(model_cfg: dict[str, Any]) -> dict[str, Any]:
    """Complete a configuration with open_clip's defaults."""
    kinds = {"vision_cfg": open_clip.CLIPVisionCfg, "text_cfg": open_clip.CLIPTextCfg}
    filled = {"quick_gelu": False, "custom_text": False} | model_cfg
    for part, kind in kinds.items():
        filled[part] = {f.name: f.default for f in fields(kind)} | filled.get(part, {})
    return filled


def _about(clip: MaskClip) -> dict[str, Any]:
    return {
        "model_cfg": clip.model_cfg,
        "mean": clip.mean.tolist(),
        "std": clip.std.tolist(),
        "name": clip.name,
        VIEW: to_json(clip.view),
    }
