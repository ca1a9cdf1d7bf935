"""The parts that measure: bfloat16 and torch.compile on and off, and both published models at full
size with random weights."""

import time
from collections.abc import Callable, Iterator
from contextlib import nullcontext
from dataclasses import replace
from functools import partial

import numpy as np
import torch
from torch import Tensor
from torch.nn.functional import normalize

from pipeline.clip.encode import encode_regions
from pipeline.clip.sources import shipped_clip
from pipeline.clip.tower import MaskClip
from pipeline.clip.view import RegionView
from pipeline.core.precision import autocast, in_precision, math_attention
from pipeline.data.classes import load_class_list
from pipeline.finetune import optimiser as clip_optimiser
from pipeline.finetune.losses import contrastive_loss
from pipeline.maskformer.maskformer import MaskFormer
from pipeline.maskformer.propose import propose, resize_input
from pipeline.maskformer.store import load_segmenter
from pipeline.ovseg import OVSeg
from pipeline.ovseg.semantic import label_map
from pipeline.segmenter.matcher import Target
from pipeline.segmenter.optimiser import parameter_groups
from pipeline.segmenter.trainer import LossModel
from pipeline.training.optimiser import adamw
from tests.benchmarks import bench_full_size
from tests.goldens import error
from tests.gpu.core import MINIATURE, NAMES, picture
from tests.gpu.rows import Row, Setting, holds, measured, skipped, within
from tests.ovseg.tiny import tiny_clip, tiny_segmenter
from tests.segmenter.tiny import WEIGHTS

TRAINED_CLASSES = 171
EVERY_MASK = RegionView(threshold=1e-6)


def seconds(on: Setting, run: Callable[[], object], times: int) -> float:
    """Seconds of one call, the median of `times` after one that is not counted."""
    run()
    taken = []
    for _ in range(times):
        on.wait()
        start = time.perf_counter()
        run()
        on.wait()
        taken.append(time.perf_counter() - start)
    return float(np.median(taken))


def precision(on: Setting) -> Iterator[Row]:
    """bfloat16 and torch.compile, each on and off: how far the logits move, and how fast.

    On the shipped miniatures, which are trained: 8 pictures of 256 pixels, and 256 crops.
    """
    if on.pretended:
        yield skipped("precision", "the device is pretended")
        return
    pictures, crops, side, times = (2, 4, 64, 1) if on.small else (8, 256, 256, 10)
    images = [resize_input(picture(side, seed), None).to(on.device) for seed in range(pictures)]
    segmenter = tiny_segmenter() if on.small else load_segmenter(MINIATURE)
    clip = tiny_clip() if on.small else shipped_clip()
    segmenter, clip = segmenter.to(on.device), clip.to(on.device)
    words = normalize(torch.randn(len(NAMES), segmenter.config.clip_dim, device=on.device), dim=-1)
    shape = (crops, 3, clip.image_size, clip.image_size)
    shown = torch.randn(shape, device=on.device)
    networks = {
        "segmenter": (lambda m: m(images, words).pred_masks, segmenter, pictures, "pictures/s"),
        "CLIP": (lambda m: m(shown), clip, crops, "crops/s"),
    }
    with torch.no_grad():
        for name, (run, model, count, unit) in networks.items():
            exact = run(model)
            peak = float(exact.abs().max())
            for compiled in (False, True):
                tried = torch.compile(model, backend="inductor" if on.cuda else "eager") \
                    if compiled else model  # fmt: skip
                for kind in ("float32", "bfloat16"):
                    title = f"{name}, {kind}{', compiled' * compiled}"
                    # A forward only: what the networks' own float32 islands do is part of it.
                    with in_precision(on.device, kind):
                        found = run(tried)
                        taken = seconds(on, partial(run, tried), times)
                    away = error(found, exact) / peak
                    if kind == "float32":
                        yield within(f"{title}: largest difference", away, 1e-4)
                    else:
                        yield within(f"{title}: largest difference", away, 0.5)
                    yield measured(f"{title}: speed", count / taken, unit)
            torch.compiler.reset()


def full_size(on: Setting, name: str) -> Iterator[Row]:
    """One published model with random weights: a picture of 640 pixels, pictures and crops in
    batches, a step of both trainings, in float32 and bfloat16; and the memory each takes."""
    if on.pretended:
        yield skipped(name, "the device is pretended")
        return
    side, batch, times = (48, 2, 1) if on.small else (640, 8, 5)
    segmenter, clip, crop = _models(on, name)
    for kind in ("float32",) if on.small else ("float32", "bfloat16"):
        yield from _inference(on, segmenter, clip, side, batch, times, kind)
    for bfloat16 in (False,) if on.small else (False, True):
        kind = "bfloat16" if bfloat16 else "float32"
        pictures, crops = (2, 4) if on.small else (8, 64)
        step = _segmenter_step(on, segmenter, crop, pictures, bfloat16)
        yield from _timed(on, f"segmenter, a step of {pictures} at {crop} px, {kind}", step, times)
        step = _clip_step(on, clip, crops, bfloat16)
        yield from _timed(on, f"CLIP, a step of {crops} crops, {kind}", step, times)


def _models(on: Setting, name: str) -> tuple[MaskFormer, MaskClip, int]:
    backbone, clip_name, crop = bench_full_size.MODELS[name]
    torch.manual_seed(0)
    if on.small:
        return tiny_segmenter().to(on.device), tiny_clip(prompt_depth=2).to(on.device), 64
    segmenter, clip = bench_full_size._build(backbone, clip_name)
    return segmenter.to(on.device).eval(), clip.to(on.device).eval(), crop


def _inference(
    on: Setting, segmenter: MaskFormer, clip: MaskClip, side: int, batch: int, times: int, kind: str
) -> Iterator[Row]:
    image = picture(side)[:, :side].copy()
    for classes in (150, 847):
        names = load_class_list(f"ade{classes}").names
        model = OVSeg(segmenter, clip, view=EVERY_MASK, templates=("{}",), precision=kind)
        start = time.perf_counter()
        model.predictor.vocabulary(names)  # kept for every picture that follows
        on.wait()
        if kind == "float32":  # text always is
            taken = time.perf_counter() - start
            yield measured(f"text of {classes} classes, a sentence each, once", taken, "s")

        def segment(model=model, names=names) -> Tensor:
            prediction = model.predict(image)
            scores = model.score(prediction, names)
            parts = model.combine(prediction, scores, "ensemble", len(names))
            return label_map(*parts, image.shape[:2])

        title = f"a picture of {side} px, {classes} classes, {kind}"
        yield from _timed(on, title, segment, times)
        labels = segment()
        right = labels.shape == image.shape[:2] and bool((labels >= 0).all())
        yield holds(f"{title}: every pixel is named", right, str(labels))
    shown = [resize_input(image, None)] * batch
    queries = segmenter.config.queries

    def together() -> None:
        found = propose(segmenter, shown, kind)
        masked = [(image, f.masks) for image, f in zip(shown, found, strict=True)]
        list(encode_regions(clip, masked, replace(EVERY_MASK, precision=kind), batch=256))

    def masks_alone() -> None:
        propose(segmenter, shown, kind)

    for what, run in (("segmenter alone", masks_alone), (f"and {queries} regions each", together)):
        yield from _timed(on, f"{batch} pictures together, {what}, {kind}", run, times, batch)


def _timed(
    on: Setting, name: str, run: Callable[[], object], times: int, count: int = 1
) -> Iterator[Row]:
    if on.cuda:
        torch.cuda.reset_peak_memory_stats(on.device)
    taken = seconds(on, run, times)
    yield measured(name, taken / count, "s a picture" if count > 1 else "s")
    if count > 1:
        yield measured(f"{name}: speed", count / taken, "pictures/s")
    if on.cuda:
        peak = torch.cuda.max_memory_allocated(on.device) / 2**30
        yield measured(f"{name}: peak memory", peak, "GiB")


def _segmenter_step(
    on: Setting, segmenter: MaskFormer, crop: int, pictures: int, bfloat16: bool
) -> Callable[[], object]:
    text = torch.randn(TRAINED_CLASSES, segmenter.config.clip_dim, device=on.device)
    images = torch.randint(256, (pictures, 3, crop, crop), device=on.device)
    masks = torch.zeros(8, crop, crop, dtype=torch.bool, device=on.device)
    for i in range(8):
        masks[i, i * crop // 8 : (i + 1) * crop // 8] = True
    target = Target(torch.arange(8, device=on.device), masks)
    model = LossModel(segmenter, normalize(text, dim=-1), WEIGHTS, bfloat16)
    optimizer = adamw(parameter_groups(segmenter, 6e-5, 1.0, 0.01), fused=True)
    samples = [_Sample(image, target) for image in images.byte()]

    def step() -> None:
        segmenter.train()
        with math_attention() if not on.cuda else nullcontext():
            sum(model(samples).values()).backward()
        torch.nn.utils.clip_grad_norm_(segmenter.parameters(), 0.01)
        optimizer.step()
        optimizer.zero_grad(set_to_none=True)
        segmenter.eval()

    return step


class _Sample:
    """As `pipeline.segmenter.data.TrainingSample`, on the device already."""

    def __init__(self, image: Tensor, target: Target) -> None:
        self.image, self.target = image, target


def _clip_step(on: Setting, clip: MaskClip, crops: int, bfloat16: bool) -> Callable[[], object]:
    parameters = clip_optimiser.trained_parameters(clip, "both")
    optimizer = adamw(clip_optimiser.parameter_groups(parameters, 5e-6, 0.05, 0.2))
    side = clip.image_size
    images = torch.randn(crops, 3, side, side, device=on.device)
    masks = torch.zeros(crops, side, side, dtype=torch.bool, device=on.device)
    masks[:, : side // 2] = True
    named = normalize(torch.randn(crops, clip.clip.visual.output_dim, device=on.device), dim=-1)

    def step() -> None:
        with autocast(on.device, bfloat16), math_attention():
            features = clip.encode_image(images, masks)
        contrastive_loss(normalize(features.float(), dim=-1), named, 100.0).backward()
        optimizer.step()
        optimizer.zero_grad(set_to_none=True)

    return step
