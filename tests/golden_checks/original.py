"""Our models with the weights of a golden folder."""

from functools import cache
from pathlib import Path

import torch

from pipeline.checkpoints.layout import CLASS_WEIGHTS, COLOURS, Parts, split, unit_colour
from pipeline.checkpoints.original import segmenter_config
from pipeline.clip.store import MEAN, PROMPT_KEY, STD, build_from_config
from pipeline.clip.tower import MaskClip
from pipeline.maskformer.maskformer import MaskFormer
from pipeline.weights.load_strict import load_strict
from tests.goldens import Golden, index


@cache
def load_original(folder: Path, weights: str) -> tuple[MaskFormer, MaskClip]:
    """Segmenter and CLIP of a file with the weights of both, ready to segment."""
    golden = Golden(weights, folder)
    parts = parts_of(golden)
    segmenter = MaskFormer(segmenter_config(golden.about["config"]))
    segmenter.load_state_dict(parts.segmenter)
    segmenter.to(golden.device)
    mean, std = (unit_colour(parts.colours[key], None) for key in COLOURS)
    described = _described_clip(folder, parts.clip)
    return segmenter.eval(), clip_of(parts.clip, described, mean=mean, std=std)


def parts_of(golden: Golden) -> Parts:
    """The weights of both models in a file."""
    parts = split({key: golden.tensor(key) for key in golden}, golden.name)
    assert set(parts.left_over) <= {CLASS_WEIGHTS}
    return parts


def clip_of(
    state: dict[str, torch.Tensor],
    described: dict,
    quick_gelu: bool = True,
    mean: tuple[float, float, float] = MEAN,
    std: tuple[float, float, float] = STD,
) -> MaskClip:
    """The CLIP with these weights, a text tower of random ones where they have none.

    described: the `config` of a CLIP in goldens.json.
    """
    weights = dict(state)
    prompts = weights.pop(PROMPT_KEY)
    clip = build_from_config(open_clip_config(described, quick_gelu), mean, std)
    if "text_projection" not in weights:
        own = clip.clip.state_dict()
        weights |= {key: value for key, value in own.items() if not key.startswith("visual.")}
    load_strict(clip.clip, weights, "golden weights")
    clip.set_prompts(prompts)
    return clip.to(Golden.device).eval()


def open_clip_config(described: dict, quick_gelu: bool = True) -> dict:
    """open_clip's configuration for a CLIP, or an image tower alone, of goldens.json."""
    width = described.get("vision_width", described.get("width"))
    return {
        "embed_dim": described["embed_dim"],
        "quick_gelu": quick_gelu,
        "vision_cfg": {
            "image_size": described["image_resolution"],
            "patch_size": described.get("vision_patch_size", described.get("patch")),
            "width": width,
            "layers": described.get("vision_layers", described.get("layers")),
            "head_width": width // described.get("vision_heads", described.get("heads")),
        },
        "text_cfg": {
            "context_length": described.get("context_length", 77),
            "vocab_size": described.get("vocab_size", 16),
            "width": described.get("transformer_width", 8),
            "heads": described.get("transformer_heads", 1),
            "layers": described.get("transformer_layers", 1),
        },
    }


def _described_clip(folder: Path, state: dict[str, torch.Tensor]) -> dict:
    """The described CLIP with these weights: head counts are in none of them. Where its file is
    not in the folder, the one of these shapes."""
    width, _, patch, _ = state["visual.conv1.weight"].shape
    prefix = "visual.transformer.resblocks."
    shapes = {
        "vision_width": width,
        "vision_patch_size": patch,
        "vision_layers": len({k.split(".")[3] for k in state if k.startswith(prefix)}),
        "transformer_width": state["token_embedding.weight"].shape[1],
        "embed_dim": state["text_projection"].shape[1],
    }
    alike = [n for n, e in index(folder).items() if shapes.items() <= e.get("config", {}).items()]
    assert alike, f"no CLIP in goldens.json has {shapes}"
    first = "visual.conv1.weight"
    same = [n for n in alike if torch.equal(Golden(n, folder).tensor(first), state[first])]
    return index(folder)[(same or alike)[0]]["config"]
