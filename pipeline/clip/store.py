"""CLIP on disk: the folder that `base_clip` and both `finetune` stages write.

clip.json            open_clip's model configuration, provenance, mean, std, prompt depth, how to
                     use it (pipeline/clip/view.py), and the sha256 of the files below
clip.safetensors     open_clip's state dict: `open_clip.create_model(name, pretrained=FILE)`
                     loads it
prompts.safetensors  only with mask prompts: visual.mask_embedding (depth, N patches, width)
"""

import json
from copy import deepcopy
from functools import lru_cache
from pathlib import Path
from typing import Any

import open_clip
import torch
from open_clip.tokenizer import HFTokenizer, SimpleTokenizer
from safetensors import SafetensorError
from safetensors.torch import load_file, save
from torch import Tensor

from pipeline.clip.tower import Colour, MaskClip
from pipeline.clip.view import VIEW, ClipView, from_json, to_json
from pipeline.core.errors import MissingFileError, UserError
from pipeline.core.files.atomic import replacing, write_text
from pipeline.core.files.written_json import read_json
from pipeline.weights.digest import KEY, digests, verify
from pipeline.weights.load_strict import load_strict

MEAN, STD = open_clip.OPENAI_DATASET_MEAN, open_clip.OPENAI_DATASET_STD
CONFIG, WEIGHTS, PROMPTS = "clip.json", "clip.safetensors", "prompts.safetensors"
PROMPT_KEY = "visual.mask_embedding"


def build_from_config(
    model_cfg: dict[str, Any],
    mean: Colour = MEAN,
    std: Colour = STD,
    name: str = "random weights",
) -> MaskClip:
    """Build a CLIP from an open_clip configuration; random weights (torch's RNG), no prompts."""
    arguments = deepcopy(model_cfg)
    text_cfg = arguments.get("text_cfg", {})
    if "multimodal_cfg" in arguments:
        raise UserError("CoCa models are not supported: choose a CLIP without multimodal_cfg")
    custom_text = arguments.pop("custom_text", False) or "hf_model_name" in text_cfg
    build = open_clip.CustomTextCLIP if custom_text else open_clip.CLIP
    if "hf_model_name" in text_cfg:
        text_cfg["hf_model_pretrained"] = False
    words = text_cfg.get("context_length", 77), text_cfg.get("hf_tokenizer_name")
    try:
        tokenizer, model = _tokenizer(*words), build(**arguments)
    except (ModuleNotFoundError, RuntimeError) as error:
        if "transformers" not in str(error):
            raise
        raise UserError(
            "this CLIP's text tower is one of Hugging Face's: it needs their package, "
            "pip install transformers"
        ) from error
    return MaskClip(model, model_cfg, tokenizer, mean, std, name)


def save_clip(folder: Path, clip: MaskClip, name: str, half: bool = False) -> None:
    """Write `clip` to `folder`; every file is replaced whole, clip.json last.

    half: store the weights as float16 (half the size; the file is still loaded as float32).
    """
    folder = Path(folder)
    weights = {key: value.detach().cpu() for key, value in clip.clip.state_dict().items()}
    if half:
        weights = {key: v.half() if v.is_floating_point() else v for key, v in weights.items()}
    (folder / CONFIG).unlink(missing_ok=True)  # if killed now, the folder holds no model
    save_tensors(folder / WEIGHTS, weights)
    if clip.prompts is None:
        (folder / PROMPTS).unlink(missing_ok=True)
    else:
        save_tensors(folder / PROMPTS, {PROMPT_KEY: clip.prompts.detach().cpu()})
    config = {
        "name": name,
        "model_cfg": clip.model_cfg,
        "mean": _as_written(clip.mean),
        "std": _as_written(clip.std),
        "prompt_depth": clip.prompt_depth,
        VIEW: to_json(clip.view),
        KEY: digests(folder, [WEIGHTS] if clip.prompts is None else [WEIGHTS, PROMPTS]),
    }
    write_text(folder / CONFIG, json.dumps(config, indent=2) + "\n")


def load_clip(folder: Path, device: torch.device | str = "cpu") -> MaskClip:
    """Read a CLIP folder: float32, in evaluation mode, on `device`.

    MissingFileError names a missing file, UserError a file that does not fit.
    """
    folder = Path(folder)
    for file in (CONFIG, WEIGHTS):
        if not (folder / file).is_file():
            raise MissingFileError(
                f"{folder / file}: not there, expected a CLIP folder ({CONFIG}, {WEIGHTS}) as the "
                "stages base_clip and finetune write it; run `dvc repro` up to that stage"
            )
    config = read_json(folder / CONFIG, "a CLIP configuration")
    try:
        depth, name = config["prompt_depth"], f"{config['name']}"
        clip = build_from_config(config["model_cfg"], config["mean"], config["std"], name)
    except Exception as error:  # open_clip may raise anything on an invalid configuration
        raise UserError(
            f"{folder / CONFIG}: not a CLIP configuration ({_in_a_line(error)}), expected the keys "
            "model_cfg, name, mean, std, prompt_depth"
        ) from error
    clip.view = from_json(ClipView, config, str(folder / CONFIG))
    verify(folder, CONFIG, config.get(KEY), (WEIGHTS, PROMPTS))
    load_strict(clip.clip, load_tensors(folder / WEIGHTS), str(folder / WEIGHTS))
    if depth:
        if not (folder / PROMPTS).is_file():
            raise MissingFileError(
                f"{folder / PROMPTS}: not there, though {CONFIG} says prompt_depth {depth}"
            )
        _load_prompts(folder / PROMPTS, clip, depth)
    return clip.to(device).eval()


def _in_a_line(error: Exception) -> str:
    text = str(error) if isinstance(error, UserError) else repr(error)
    return text.partition("\n")[0][:200]


def _load_prompts(path: Path, clip: MaskClip, depth: int) -> None:
    tensors = load_tensors(path)
    if list(tensors) != [PROMPT_KEY]:
        raise UserError(f"{path}: holds {sorted(tensors)}, expected {PROMPT_KEY} alone")
    try:
        clip.set_prompts(tensors[PROMPT_KEY])
    except UserError as error:
        raise UserError(f"{path}: {error}") from error
    if clip.prompt_depth != depth:
        raise UserError(
            f"{path}: prompts of depth {clip.prompt_depth}, though {CONFIG} says prompt_depth "
            f"{depth}"
        )


def load_tensors(path: Path) -> dict[str, Tensor]:
    """Read the tensors of a safetensors file. UserError if it is damaged or cut short."""
    try:
        return load_file(path)
    except SafetensorError as error:
        raise UserError(
            f"{path}: not a readable safetensors file ({error}), it may be cut short; run the "
            "stage that writes it again (dvc repro --force --single-item STAGE)"
        ) from error


def save_tensors(path: Path, tensors: dict[str, Tensor]) -> None:
    """Write a safetensors file, replaced whole."""
    data = save({key: value.contiguous() for key, value in tensors.items()}, {"format": "pt"})
    with replacing(path) as temporary:
        temporary.write_bytes(data)


def _as_written(colour: Tensor) -> list[float]:
    """Return float32 values as decimals that read back as the same bits; 8 places if enough."""
    short = [round(value, 8) for value in colour.tolist()]
    return short if torch.equal(torch.tensor(short), colour.cpu()) else colour.tolist()


@lru_cache(maxsize=4)
def _tokenizer(context_length: int, hf_name: str | None) -> SimpleTokenizer | HFTokenizer:
    if hf_name:
        return HFTokenizer(hf_name, context_length=context_length)
    return SimpleTokenizer(context_length=context_length)
