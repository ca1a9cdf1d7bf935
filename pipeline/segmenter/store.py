"""The segmenter as files: `segmenter.json` (architecture) and `segmenter.safetensors` (weights).

The state-dict keys are those of the released checkpoints without their CLIP.
"""

import json
from pathlib import Path

import torch
from pydantic import ValidationError
from safetensors import SafetensorError
from safetensors.torch import load_file, save

from pipeline.atomic import replacing, write_text
from pipeline.errors import MissingFileError, UserError
from pipeline.segmenter.config import SegmenterConfig
from pipeline.segmenter.maskformer import MaskFormer
from pipeline.weights.fit import fill

CONFIG = "segmenter.json"
WEIGHTS = "segmenter.safetensors"


def save_segmenter(folder: Path | str, model: MaskFormer) -> None:
    """Write `segmenter.json` and `segmenter.safetensors` into `folder`, each whole or not at all.

    Only what has learned or counted is stored, in float32; buffers follow from the architecture
    except batch-norm statistics, which are stored.
    """
    folder = Path(folder)
    state = {
        name: tensor.detach().cpu().contiguous() for name, tensor in model.state_dict().items()
    }
    with replacing(folder / WEIGHTS) as temporary:
        temporary.write_bytes(save(state))  # save_file would not say which error the disk had
    document = model.config.model_dump(mode="json")
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
    try:
        config = SegmenterConfig.model_validate_json((folder / CONFIG).read_text(encoding="utf-8"))
    except (ValidationError, UnicodeDecodeError) as error:
        raise UserError(f"{folder / CONFIG}: not a segmenter's architecture: {error}") from error
    try:
        state = load_file(folder / WEIGHTS)
    except SafetensorError as error:
        raise UserError(f"{folder / WEIGHTS}: not a readable safetensors file: {error}") from error
    model = MaskFormer(config)
    fill(model, state, str(folder / WEIGHTS))
    return model.to(device).eval()
