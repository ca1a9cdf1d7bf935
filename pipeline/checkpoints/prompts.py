"""Add mask prompts to a loaded open_clip model.

One tower then serves whole pictures and masked crops:

    model = open_clip.create_model("ViT-L-14-quickgelu", pretrained="export/clip.safetensors")
    clip = with_prompts(model, "export/prompts.safetensors")
    features = clip.encode_image(images, masks)   # masks (B, S, S): true where the object is
"""

from pathlib import Path

from open_clip.tokenizer import SimpleTokenizer
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor, nn

from pipeline.clip.store import MEAN, PROMPT_KEY, STD
from pipeline.clip.tower import MaskClip
from pipeline.core.errors import MissingFileError, UserError


def with_prompts(model: nn.Module, file: Path | str) -> MaskClip:
    """Wrap `model`, an open_clip CLIP, with the mask prompts of `file`. Nothing is copied: both
    share one tower, in evaluation mode. `encode_image` of the result takes masks; without masks it
    equals the model's own.
    """
    colours = getattr(model.visual, "preprocess_cfg", {})
    clip = MaskClip(
        model,
        {},
        SimpleTokenizer(context_length=model.context_length),
        colours.get("mean", MEAN),
        colours.get("std", STD),
    )
    clip.to(next(model.parameters()).device)
    clip.set_prompts(read_prompts(file))
    return clip.eval()


def read_prompts(file: Path | str) -> Tensor:
    """Read mask prompts `(depth, N patches, width)`. MissingFileError or UserError without them."""
    if not Path(file).is_file():
        raise MissingFileError(f"{file}: no such file, expected mask prompts (safetensors)")
    try:
        return load_file(file)[PROMPT_KEY]
    except (SafetensorError, KeyError) as error:
        raise UserError(f"{file}: holds no {PROMPT_KEY}, expected exported prompts") from error
