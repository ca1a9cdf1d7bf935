"""Stage `pretrain_clip` (frozen): the recipe of the miniature CLIP that this repository ships.

    python -m stages.pretrain_clip --out pipeline/clip/miniature

Takes about 20 minutes on two cores. Writes clip.json and clip.safetensors (float16).
"""

from pathlib import Path

from pipeline.clip.store import build_from_config, save_clip
from pipeline.core.files.places import OutFolder
from pipeline.core.progress import report
from pipeline.core.stage import run_stage
from pipeline.params.sections import load_params
from pipeline.world.pretrain_clip import MODEL_CFG, pretrain


def main(out: OutFolder, params: Path = Path("params.yaml")) -> None:
    recipe = load_params(params, "pretrain_clip")
    clip = build_from_config(MODEL_CFG)
    clip.clip = pretrain(recipe, log=lambda step, loss: report(f"step {step}: loss {loss:.3f}"))
    save_clip(out, clip, "miniature CLIP of the OpenMoji world", half=True)
    report(f"pretrain_clip: {recipe.steps} steps on {recipe.pictures} pictures -> {out}")


if __name__ == "__main__":
    run_stage(main)
