"""The segmenter as files: `segmenter.json` (architecture) and `segmenter.safetensors` (weights).

The state-dict keys are those of the released checkpoints without their CLIP.
"""

import json
from pathlib import Path

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file

from pipeline.atomic import replacing, write_text
from pipeline.digests import KEY, digests, verify
from pipeline.errors import MissingFileError, UserError
from pipeline.segmenter.config import SegmenterConfig
from pipeline.segmenter.maskformer import MaskFormer
from pipeline.weights.fit import fill

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
        save_file(state, temporary)
    document = model.config.model_dump(mode="json") | {KEY: digests(folder, [WEIGHTS])}
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
        document = json.loads((folder / CONFIG).read_text(encoding="utf-8"))
        expected = document.pop(KEY, None)
        config = SegmenterConfig.model_validate_json(json.dumps(document))
    except (AttributeError, TypeError, ValueError) as error:
        raise UserError(f"{folder / CONFIG}: not a segmenter's architecture: {error}") from error
    verify(folder, CONFIG, expected)
    try:
        state = load_file(folder / WEIGHTS)
    except SafetensorError as error:
        raise UserError(f"{folder / WEIGHTS}: not a readable safetensors file: {error}") from error
    model = MaskFormer(config)
    fill(model, state, str(folder / WEIGHTS))
    return model.to(device).eval()
