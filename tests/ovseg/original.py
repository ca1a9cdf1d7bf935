"""Our model with the weights of a golden case of the original."""

import json

import numpy as np
import torch

from pipeline.clip.store import build_from_config
from pipeline.clip.tower import MaskClip
from pipeline.segmenter.maskformer import MaskFormer
from pipeline.segmenter.original import segmenter_config
from tests.goldens import FOLDER, arrays, description

CLIP_PREFIX = "clip_adapter.clip_model."
PROMPTS = "visual.mask_embedding"


def load_original(weights: str) -> tuple[MaskFormer, MaskClip]:
    """Segmenter and CLIP of `weights_ovseg_*`, ready to segment."""
    state = {key: torch.from_numpy(np.array(v)) for key, v in arrays(weights).items()}
    segmenter = MaskFormer(segmenter_config(description(weights)["config"]))
    segmenter.load_state_dict({key: state[key] for key in segmenter.state_dict()})
    clip_state = {
        key.removeprefix(CLIP_PREFIX): value
        for key, value in state.items()
        if key.startswith(CLIP_PREFIX)
    }
    return segmenter.eval(), load_original_clip(clip_state)


def load_original_clip(state: dict[str, torch.Tensor]) -> MaskClip:
    """The mask-adapted CLIP of an original checkpoint's `clip_model`."""
    clip = build_from_config(clip_config(state))
    clip.set_prompts(state[PROMPTS])
    clip.clip.load_state_dict({key: v for key, v in state.items() if key != PROMPTS})
    return clip.eval()


def clip_config(state: dict[str, torch.Tensor]) -> dict:
    """open_clip's configuration for these weights. Head counts are in no weight: they come from
    the described CLIP that has the same widths."""
    layers, width, patch = _tower(state, "visual.transformer."), *_patch(state)
    text_width = state["token_embedding.weight"].shape[1]
    for entry in json.loads((FOLDER / "goldens.json").read_text(encoding="utf-8")).values():
        described = entry.get("config", {})
        ours = {"vision_layers": layers, "vision_width": width, "vision_patch_size": patch}
        if ours.items() <= described.items() and described["transformer_width"] == text_width:
            return {
                "embed_dim": described["embed_dim"],
                "quick_gelu": True,
                "vision_cfg": {
                    "image_size": described["image_resolution"],
                    "layers": layers,
                    "width": width,
                    "head_width": width // described["vision_heads"],
                    "patch_size": patch,
                },
                "text_cfg": {
                    "context_length": described["context_length"],
                    "vocab_size": described["vocab_size"],
                    "width": text_width,
                    "heads": described["transformer_heads"],
                    "layers": described["transformer_layers"],
                },
            }
    raise AssertionError(f"no CLIP in goldens.json has {layers} layers of width {width}")


def _tower(state: dict[str, torch.Tensor], prefix: str) -> int:
    blocks = {key.split(".")[3] for key in state if key.startswith(f"{prefix}resblocks.")}
    return len(blocks)


def _patch(state: dict[str, torch.Tensor]) -> tuple[int, int]:
    width, _, patch, _ = state["visual.conv1.weight"].shape
    return width, patch
