"""The segmenter as files: `segmenter.json` (architecture, under "view" how to use it, see
pipeline/clip/view.py, under "classes" the names it was trained with), `segmenter.safetensors`
(weights) and `classes.safetensors` (the text features of those names).

The state-dict keys are those of the released checkpoints without their CLIP. A segmenter that does
not know its classes, as one of others, has no third file.
"""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from pydantic import ValidationError
from safetensors import SafetensorError
from safetensors.torch import load_file, save
from torch import Tensor

from pipeline.clip.view import VIEW, SegmenterView, from_json, to_json
from pipeline.core.errors import MissingFileError, UserError
from pipeline.core.files.atomic import replacing, write_text
from pipeline.core.files.written_json import read_json
from pipeline.core.section import first_fault
from pipeline.maskformer.config import SegmenterConfig
from pipeline.maskformer.maskformer import MaskFormer
from pipeline.maskformer.trained_classes import read_classes
from pipeline.weights.digest import KEY, digests, verify
from pipeline.weights.load_strict import load_strict

CONFIG = "segmenter.json"
WEIGHTS = "segmenter.safetensors"
CLASSES = "classes"
"""Key of the trained classes' names in segmenter.json."""
TEXT, TEXT_FEATURES = "classes.safetensors", "text_features"
"""The file of their features, and the tensor in it."""


def save_segmenter(folder: Path | str, model: MaskFormer) -> None:
    """Write `segmenter.safetensors`, `classes.safetensors` where the classes are known, then
    `segmenter.json`, which names the sha256 of both.

    Stores the model's state dict as it is: parameters, batch-norm statistics and other persistent
    buffers, in their own types.
    """
    folder = Path(folder)
    state = {
        name: tensor.detach().cpu().contiguous() for name, tensor in model.state_dict().items()
    }
    (folder / CONFIG).unlink(missing_ok=True)  # killed in between, the folder holds no model
    document, files = description(model), [WEIGHTS]
    _write(folder / WEIGHTS, state)
    if model.trained is None:
        (folder / TEXT).unlink(missing_ok=True)
    else:
        _write(folder / TEXT, {TEXT_FEATURES: model.trained.text_features.cpu().contiguous()})
        document[CLASSES] = list(model.trained.names)
        files.append(TEXT)
    document[KEY] = digests(folder, files)
    write_text(folder / CONFIG, json.dumps(document, indent=1, ensure_ascii=False) + "\n")


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
    expected, names = document.pop(KEY, None), document.pop(CLASSES, None)
    config, view = read_description(document, str(folder / CONFIG))
    verify(folder, CONFIG, expected, (WEIGHTS, TEXT))
    model = MaskFormer(config)
    model.view = view
    load_strict(model, _read(folder / WEIGHTS), str(folder / WEIGHTS))
    if names is not None:
        text = _read(folder / TEXT).get(TEXT_FEATURES)
        record = {"names": names, TEXT_FEATURES: text}
        model.trained = read_classes(record, config.clip_dim, str(folder))
    return model.to(device).eval()


def _write(file: Path, tensors: dict[str, Tensor]) -> None:
    with replacing(file) as temporary:
        temporary.write_bytes(save(tensors))  # save_file would hide the disk's error


def _read(file: Path) -> dict[str, Tensor]:
    if not file.is_file():
        raise MissingFileError(
            f"{file}: not found, though {CONFIG} beside it names what it should hold; run the "
            "stage `segmenter` again"
        )
    try:
        return load_file(file)
    except SafetensorError as error:
        raise UserError(f"{file}: not a readable safetensors file: {error}") from error


def description(model: MaskFormer) -> dict[str, Any]:
    """Describe the model as `segmenter.json` and exported checkpoints store it."""
    return model.config.model_dump(mode="json") | {VIEW: to_json(model.view)}


def read_description(
    content: Mapping[str, Any], where: str
) -> tuple[SegmenterConfig, SegmenterView]:
    """Read architecture and view from a `description`; `where` names it in a UserError."""
    architecture = {key: value for key, value in content.items() if key not in (VIEW, CLASSES, KEY)}
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
