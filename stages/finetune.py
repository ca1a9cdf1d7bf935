"""Stages `finetune@first` and `finetune@second`: adapt CLIP to masked crops.

    python -m stages.finetune --step first --pairs data/pairs --clip data/base_clip \\
        --out data/finetune/first --metrics data/metrics/finetune-first.json

Trains on all visible GPUs (pipeline/core/processes/distributed.py). Writes a CLIP folder (see
pipeline/clip/store.py), curves/; beside the outputs, under `checkpoints`, what a killed run goes on
from (pipeline/core/resume.py).
"""

import json
from dataclasses import replace
from pathlib import Path
from typing import Literal

import torch.distributed as dist

from pipeline.clip.store import load_clip, save_clip
from pipeline.core.files.atomic import write_text
from pipeline.core.files.places import OutFile, OutFolder
from pipeline.core.processes.distributed import loader_workers, process_group, start_all
from pipeline.core.processes.runtime import device
from pipeline.core.progress import report
from pipeline.core.resume import alone
from pipeline.core.stage import run_stage
from pipeline.finetune.pair_set import open_pairs
from pipeline.finetune.train import finetune
from pipeline.params.sections import load_params


def main(
    step: Literal["first", "second"],
    pairs: Path,
    clip: Path,
    out: OutFolder,
    metrics: OutFile,
    params: Path = Path("params.yaml"),
    checkpoints: Path = Path("data/checkpoints"),
) -> None:
    """Adapt CLIP to masked crops."""
    recipe = load_params(params, f"finetune.{step}")
    saved, curves = checkpoints / "finetune" / step, out / "curves"
    with process_group(device()) as on, alone(saved):
        model, readers = load_clip(clip, on), loader_workers(on)
        counts = finetune(model, open_pairs(pairs), recipe, saved, curves, readers)
        if dist.is_initialized() and dist.get_rank() != 0:
            return
    if recipe.train != "nothing":
        expand = load_params(params, "pairs.expand")  # the crops were cut with it
        model.view = replace(model.view, fill=recipe.fill, expand=expand)
    save_clip(out, model, f"{model.name}; {step} step: {recipe.train}")
    write_text(metrics, json.dumps(counts, indent=1) + "\n")
    for earlier in (out / "checkpoint.pt", *out.glob(".checkpoint.pt.*.tmp")):
        earlier.unlink(missing_ok=True)  # where checkpoints lay in earlier versions
    shares = ", ".join(f"{k} {v:.3f}" for k, v in counts.items() if isinstance(v, float))
    report(f"finetune {step}: {recipe.train}, {counts['pairs']} pairs, {shares}")


if __name__ == "__main__":
    run_stage(main, first=start_all)
