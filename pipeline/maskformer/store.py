"""The segmenter as files: `segmenter.json` (architecture, and under "view" how to use it, see
pipeline/clip/view.py) and `segmenter.safetensors` (weights).

The state-dict keys are those of the released checkpoints without their CLIP.
"""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from pydantic import ValidationError
from safetensors import SafetensorError
from safetensors.torch import load_file, save

from pipeline.clip.view import VIEW, SegmenterView, from_json, to_json
from pipeline.core.errors import MissingFileError, UserError
from pipeline.core.files.atomic import replacing, write_text
from pipeline.core.files.written_json import read_json
from pipeline.core.section import first_fault
from pipeline.maskformer.config import SegmenterConfig
from pipeline.maskformer.maskformer import MaskFormer
from pipeline.weights.digest import KEY, digests, verify
from pipeline.weights.load_strict import load_strict

CONFIG = "segmenter.json"
WEIGHTS = "segmenter.safetensors"


def save_segmenter(folder: Path | str, model: MaskFormer) -> None:
    """Write `segmenter.safetensors`, then `segmenter.json`, which names its sha256.

    Stores the model's state dict as it is: parameters, batch-norm statistics and other persistent
    buffers, in their own types.
    """
    folder = Path(folder)
    state = {
        name: tensor.detach().cpu().contiguous() for name, tensor in model.state_dict().items()
    }
    (folder / CONFIG).unlink(missing_ok=True)  # killed in between, the folder holds no model
    with replacing(folder / WEIGHTS) as temporary:
        temporary.write_bytes(save(state))  # save_file would hide the disk's error
    document = description(model) | {KEY: digests(folder, [WEIGHTS])}
    write_text(folder / CONFIG, json.dumps(document, indent=1) + "\n")


def load_segmenter(folder: Path | str, device: torch.device | str = "cpu") -> MaskFormer:
    """Load the segmenter in `folder`, in evaluation mode.

    MissingFileError if a file is missing; UserError if a file is broken or the weights do not fit
    the architecture.
    """
    folder = Path(folder)
    for name in (CONFIG, WEIGHTS):
        if not (folder / name).is_file():
            raise MissingFileError(
                f"{folder / name}: not found, expected a segmenter; run the stage `segmenter` or "
                "`ovseg import`"
            )
    document = _json(folder / CONFIG)
    expected = document.pop(KEY, None)
    config, view = read_description(document, str(folder / CONFIG))
    verify(folder, CONFIG, expected, (WEIGHTS,))
    try:
        state = load_file(folder / WEIGHTS)
    except SafetensorError as error:
        raise UserError(f"{folder / WEIGHTS}: not a readable safetensors file: {error}") from error
    model = MaskFormer(config)
    model.view = view
    load_strict(model, state, str(folder / WEIGHTS))
    return model.to(device).eval()


def description(model: MaskFormer) -> dict[str, Any]:
    """Describe the model as `segmenter.json` and exported checkpoints store it."""
    return model.config.model_dump(mode="json") | {VIEW: to_json(model.view)}


def read_description(
    content: Mapping[str, Any], where: str
) -> tuple[SegmenterConfig, SegmenterView]:
    """Read architecture and view from a `description`; `where` names it in a UserError."""
    architecture = {key: value for key, value in content.items() if key not in (VIEW, KEY)}
    try:
        config = SegmenterConfig.model_validate(architecture)
    except ValidationError as error:
        fault = first_fault(error, architecture)
        raise UserError(f"{where}: not a segmenter's architecture: {fault}") from error
    return config, from_json(SegmenterView, content, where)


def _json(path: Path) -> dict[str, Any]:
    content = read_json(path, "a segmenter's architecture")
    if not isinstance(content, dict):
        raise UserError(f"{path}: not a segmenter's architecture: expected an object")
    return content
