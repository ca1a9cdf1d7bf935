"""Both published models at full size, with random weights: build, train one step, segment.

    python -m tests.benchmarks.bench_full_size
    python -m tests.benchmarks.bench_full_size --model r101c-vitb16 --templates bare

Each model runs in a process of its own, one after the other, so that its peak memory is its own.
One step each of: the segmenter (2 pictures at the paper's crop), CLIP's image tower and prompts
together (4 masked crops). Then one 640-pixel picture with 847 classes through both branches, all
100 masks shown to CLIP. Needs 24 GB at most; takes minutes on 2 cores, most of them for the text:
`bare` is one sentence a class instead of 14.
"""

import argparse
import json
import resource
import subprocess
import sys
import time
from collections.abc import Callable

import numpy as np
import torch
from rich.console import Console
from rich.table import Table

from pipeline.clip.sources import model_config
from pipeline.clip.store import build_from_config
from pipeline.clip.templates import TEMPLATES
from pipeline.clip.tower import MaskClip
from pipeline.clip.view import RegionView
from pipeline.core.precision import math_attention, seed_everything
from pipeline.core.program import set_up
from pipeline.data.classes import load_class_list
from pipeline.finetune import optimiser as clip_optimiser
from pipeline.finetune.losses import contrastive_loss
from pipeline.maskformer.config import ResNetConfig, SegmenterConfig, SwinConfig
from pipeline.maskformer.maskformer import MaskFormer
from pipeline.ovseg import OVSeg
from pipeline.ovseg.semantic import label_map
from pipeline.segmenter.criterion import losses, weighted
from pipeline.segmenter.matcher import Target
from pipeline.segmenter.optimiser import parameter_groups
from pipeline.training.optimiser import adamw
from tests.ovseg.tiny import look
from tests.segmenter.tiny import WEIGHTS

MODELS = {
    "r101c-vitb16": (ResNetConfig(), "ViT-B-16-quickgelu", 512),
    "swinb-vitl14": (
        SwinConfig(embed_dim=128, depths=(2, 2, 18, 2), heads=(4, 8, 16, 32), window=12),
        "ViT-L-14-quickgelu",
        640,
    ),
}
TRAINED_CLASSES, CLASSES, SIDE = 171, 847, 640
PICTURES_A_STEP, CROPS_A_STEP = 2, 4


def bench(name: str, templates: tuple[str, ...]) -> dict[str, dict[str, float]]:
    """Seconds and the peak memory so far (GiB) after each step of one model's life."""
    backbone, clip_name, crop = MODELS[name]
    found: dict[str, dict[str, float]] = {}

    def timed(step: str, run: Callable):
        start = time.perf_counter()
        result = run()
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
        found[step] = {"seconds": time.perf_counter() - start, "peak GiB": peak}
        print(f"{name}: {step}: {found[step]}", file=sys.stderr, flush=True)
        return result

    seed_everything(0)
    segmenter, clip = timed("build", lambda: build(backbone, clip_name))
    timed("train segmenter, 1 step", lambda: _train_segmenter(segmenter, crop))
    timed("train CLIP, 1 step", lambda: _train_clip(clip))
    names = load_class_list("ade847").names
    assert len(names) == CLASSES
    everything = RegionView(threshold=1e-6)  # every mask is valid
    model = OVSeg(segmenter, clip, view=everything, templates=templates)
    timed(f"text of {CLASSES} classes", lambda: model.predictor.vocabulary(names))
    image = np.random.default_rng(0).integers(0, 256, (SIDE, SIDE, 3), dtype=np.uint8)
    labels = timed(f"segment {SIDE} px", lambda: _segment(model, image, names))
    assert labels.shape == (SIDE, SIDE) and (labels >= 0).all()
    return found


def build(backbone, clip_name: str) -> tuple[MaskFormer, MaskClip]:
    clip = build_from_config(model_config(clip_name))
    clip.deepen_prompts(3)
    width = clip.clip.visual.output_dim
    return MaskFormer(SegmenterConfig(backbone=backbone, clip_dim=width)), clip


def _segment(model: OVSeg, image: np.ndarray, names: list[str]) -> torch.Tensor:
    evidence = look(model, image, names)
    assert evidence.valid.all()
    parts = model.combine(evidence.prediction, evidence.scores, "ensemble", len(names))
    return label_map(*parts, image.shape[:2])


def _train_segmenter(segmenter: MaskFormer, crop: int) -> None:
    text = torch.nn.functional.normalize(
        torch.randn(TRAINED_CLASSES, segmenter.config.clip_dim), dim=-1
    )
    images = [torch.randint(256, (3, crop, crop), dtype=torch.uint8)] * PICTURES_A_STEP
    masks = torch.zeros(8, crop, crop, dtype=torch.bool)
    for i in range(8):
        masks[i, i * crop // 8 : (i + 1) * crop // 8] = True
    targets = [Target(torch.arange(8), masks)] * PICTURES_A_STEP
    weights = WEIGHTS
    optimizer = adamw(parameter_groups(segmenter.train(), 6e-5, 1.0, 0.01), fused=True)
    with math_attention():
        raw = losses(segmenter(images, text), targets, weights)
        sum(weighted(raw, weights).values()).backward()
    torch.nn.utils.clip_grad_norm_(segmenter.parameters(), 0.01)
    optimizer.step()
    segmenter.zero_grad(set_to_none=True)


def _train_clip(clip: MaskClip) -> None:
    parameters = clip_optimiser.trained_parameters(clip, "both")
    optimizer = adamw(clip_optimiser.parameter_groups(parameters, 5e-6, 0.05, 0.2))
    images = torch.randn(CROPS_A_STEP, 3, clip.image_size, clip.image_size)
    masks = torch.zeros(CROPS_A_STEP, clip.image_size, clip.image_size, dtype=torch.bool)
    masks[:, : clip.image_size // 2] = True
    with torch.no_grad():
        text = clip.encode_text(clip.tokenize([f"thing {i}" for i in range(CROPS_A_STEP)]))
    with math_attention():
        shown = torch.nn.functional.normalize(clip.train().encode_image(images, masks), dim=-1)
        named = torch.nn.functional.normalize(text, dim=-1)
        contrastive_loss(shown, named, 100.0).backward()
    optimizer.step()
    clip.zero_grad(set_to_none=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--model", choices=MODELS, action="append")
    parser.add_argument("--templates", choices=TEMPLATES, default="vild")
    parser.add_argument("--here", choices=MODELS, help="run one in this process, print JSON")
    options = parser.parse_args()
    if options.here:
        print(json.dumps(bench(options.here, TEMPLATES[options.templates])))
        return
    title = f"{torch.get_num_threads()} threads"
    table = Table("model", "step", "seconds", "peak GiB so far", title=title)
    for name in options.model or MODELS:
        command = [sys.executable, "-m", "tests.benchmarks.bench_full_size", "--here", name]
        command += ["--templates", options.templates]
        done = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True)
        for step, values in json.loads(done.stdout.splitlines()[-1]).items():
            table.add_row(name, step, f"{values['seconds']:.1f}", f"{values['peak GiB']:.1f}")
    Console().print(table)
    sentences = len(TEMPLATES[options.templates])
    print(f"text: {CLASSES} names in {sentences} sentences each, kept for all pictures")


if __name__ == "__main__":
    set_up()
    main()
