"""Say where the ImageNet backbones of the paper's two models are published."""

from pathlib import Path

from pipeline.core.errors import MissingFileError

MODEL_ZOO = {
    "R-103.pkl": "https://dl.fbaipublicfiles.com/detectron2/DeepLab/R-103.pkl",
    "swin_base_patch4_window12_384_22k.pth": "https://github.com/SwinTransformer/storage/releases/"
    "download/v1.0.0/swin_base_patch4_window12_384_22k.pth",
}


def find_weights(path: Path | str) -> Path:
    """Return the file if it exists. MissingFileError says where a well-known one is published."""
    path = Path(path)
    if not path.is_file():
        source = MODEL_ZOO.get(path.name)
        raise MissingFileError(
            f"{path}: no such weights file" + (f"; it is at {source}" if source else "")
        )
    return path
