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
from pipeline.maskformer.config import SegmenterConfig
from pipeline.maskformer.maskformer import MaskFormer
from pipeline.weights.digest import KEY, digests, verify
from pipeline.weights.load_strict import load_strict

CONFIG = "segmenter.json"
WEIGHTS = "segmenter.safetensors"


def save_segmenter(folder: Path | str, model: MaskFormer) -> None:
    """Write `segmenter.safetensors`, then `segmenter.json`, which names its sha256.

    Only what has learned or counted is stored, in float32; buffers follow from the architecture
    except batch-norm statistics, which are stored.
    """
    folder = Path(folder)
    state = {
        name: tensor.detach().cpu().contiguous() for name, tensor in model.state_dict().items()
    }
    (folder / CONFIG).unlink(missing_ok=True)  # killed in between, the folder holds no model
    with replacing(folder / WEIGHTS) as temporary:
        temporary.write_bytes(save(state))  # save_file would not say which error the disk had
    document = description(model) | {KEY: digests(folder, [WEIGHTS])}
    write_text(folder / CONFIG, json.dumps(document, indent=1) + "\n")


def load_segmenter(folder: Path | str, device: torch.device | str = "cpu") -> MaskFormer:
    """The segmenter in `folder`, in evaluation mode.

    MissingFileError when a file is missing; UserError when a file is broken or the weights are
    not those of the architecture.
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
    """What `segmenter.json` holds, and exported checkpoints beside the weights."""
    return model.config.model_dump(mode="json") | {VIEW: to_json(model.view)}


def read_description(
    content: Mapping[str, Any], where: str
) -> tuple[SegmenterConfig, SegmenterView]:
    """Architecture and view out of a `description`; `where` names it in a UserError."""
    architecture = {key: value for key, value in content.items() if key != VIEW}
    try:
        config = SegmenterConfig.model_validate(architecture)
    except ValidationError as error:
        raise UserError(f"{where}: not a segmenter's architecture: {error}") from error
    return config, from_json(SegmenterView, content, where)


def _json(path: Path) -> dict[str, Any]:
    content = read_json(path, "a segmenter's architecture")
    if not isinstance(content, dict):
        raise UserError(f"{path}: not a segmenter's architecture: expected an object")
    return content
