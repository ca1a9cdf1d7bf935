"""Stage `base_clip`: the CLIP to adapt - shipped, from open_clip by name, or from a file.

    python -m stages.base_clip --out data/base_clip --metrics data/metrics/base_clip.json

Writes a CLIP folder (see pipeline/clip/store.py) and the metrics: its size and, for the shipped
miniature, its zero-shot accuracy on ordinary pictures, box crops and masked crops of its world.
"""

import json
from pathlib import Path

from pipeline.clip.sources import base_clip
from pipeline.clip.store import save_clip
from pipeline.clip.zero_shot import zero_shot_accuracy
from pipeline.core.files.atomic import write_text
from pipeline.core.files.places import OutFile, OutFolder
from pipeline.core.processes import runtime
from pipeline.core.progress import report
from pipeline.core.stage import run_stage
from pipeline.params.sections import load_params
from pipeline.world.probe import crop_probe, natural_probe
from pipeline.world.vocabulary import NOUNS

PICTURES, PICTURE_PX, SCENE_PX, SEED = 600, 64, 128, 7_000_000


def main(out: OutFolder, metrics: OutFile, params: Path = Path("params.yaml")) -> None:
    """Fetch the base CLIP."""
    settings = load_params(params, "base_clip")
    clip = base_clip(settings.source, settings.name, settings.pretrained, settings.checkpoint).to(
        runtime.device()
    )
    counts: dict = {"parameters": sum(p.numel() for p in clip.clip.parameters())}
    if settings.source == "shipped":
        natural = natural_probe(PICTURES, PICTURE_PX, SEED)
        crops = crop_probe(PICTURES, SCENE_PX, SEED)
        counts["zero_shot_top1"] = {
            "natural": zero_shot_accuracy(clip, natural.images, None, natural.nouns, NOUNS),
            "box": zero_shot_accuracy(clip, crops.images, None, crops.nouns, NOUNS),
            "masked": zero_shot_accuracy(clip, crops.images, crops.masks, crops.nouns, NOUNS),
        }
    save_clip(out, clip, clip.name)
    write_text(metrics, json.dumps(counts, indent=1) + "\n")
    accuracy = counts.get("zero_shot_top1", {})
    found = "".join(f", zero-shot {kind} {share:.1%}" for kind, share in accuracy.items())
    report(f"base_clip: {clip.name}, {counts['parameters'] / 1e6:.1f}M parameters{found}")


if __name__ == "__main__":
    run_stage(main)
