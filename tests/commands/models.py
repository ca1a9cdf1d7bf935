"""A model folder as the pipeline leaves it, and what is in a folder."""

from pathlib import Path

from pipeline.clip.store import save_clip
from pipeline.maskformer.store import save_segmenter
from tests.ovseg.tiny import tiny_clip, tiny_segmenter


def save_model(root: Path) -> Path:
    save_segmenter(root / "segmenter", tiny_segmenter())
    save_clip(root / "finetune/second", tiny_clip(prompt_depth=2), "adapted")
    return root


def files(folder) -> dict[str, bytes]:
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file() and path.name != "import.json"
    }
