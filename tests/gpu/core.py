"""The parts that say whether results are right on the device: goldens, agreement with the CPU,
trainings that are killed and go on, torchrun."""

import copy
import json
import math
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from unittest.mock import patch

import numpy as np
import torch
from torch import Tensor

from pipeline.clip.encode import encode_regions
from pipeline.clip.regions import cut_regions
from pipeline.clip.sources import shipped_clip
from pipeline.clip.text import class_features
from pipeline.clip.tower import MaskClip
from pipeline.clip.view import RegionView
from pipeline.core.precision import has_bfloat16, math_attention
from pipeline.core.processes import runtime
from pipeline.core.resume import Checkpoints
from pipeline.data.sets import EvalSet
from pipeline.evaluate.compare import Comparison, LabelledPicture
from pipeline.evaluate.run import count
from pipeline.finetune.losses import contrastive_loss
from pipeline.finetune.pair_set import PairSet
from pipeline.finetune.train import _Run, finetune
from pipeline.maskformer.maskformer import MaskFormer
from pipeline.maskformer.propose import propose, resize_input
from pipeline.maskformer.store import load_segmenter
from pipeline.ovseg import OVSeg
from pipeline.ovseg.ensemble import cosine_logits
from pipeline.ovseg.semantic import label_map
from pipeline.segmenter.criterion import losses, weighted
from pipeline.segmenter.data import TrainingSet
from pipeline.segmenter.matcher import Target
from pipeline.segmenter.train import train
from pipeline.segmenter.trainer import SegmenterTrainer
from tests.clip.tiny import tiny_clip, write_pairs
from tests.golden_checks.all import check
from tests.golden_checks.original import load_original
from tests.goldens import Golden, allowed, error, index
from tests.gpu.rows import Row, Setting, apart, holds, measured, skipped, within
from tests.segmenter.tiny import WEIGHTS, config, resnet, swin, text, training, world
from tests.shipped import section

ROOT = Path(__file__).resolve().parents[2]
MINIATURE = ROOT / "pipeline/segmenter/miniature"
NAMES = ["cat", "dog", "polar bear", "grass", "saturn V"]
GRADIENT = 1e-4
"""Largest difference of gradients in float32, as a share of the largest gradient of the model."""
NOISE = 1e-6
"""Likewise between two runs of one training, where the device gives equal ones bit by bit."""


def machine(on: Setting) -> Iterator[Row]:
    """What it runs on, and that float32 is float32."""
    yield measured("Python", sys.version_info[0] + sys.version_info[1] / 100, "",
                   sys.version.split()[0])  # fmt: skip
    yield measured("threads", torch.get_num_threads(), "", f"torch {torch.__version__}")
    if not on.cuda:
        yield skipped("card", f"the device is {on.device}")
        return
    card = torch.cuda.get_device_properties(on.device)
    yield measured(
        "memory of the card", card.total_memory / 2**30, "GiB", f"{card.name}, CUDA "
        f"{torch.version.cuda}, cuDNN {torch.backends.cudnn.version()}",
    )  # fmt: skip
    yield holds("a card is chosen by default", runtime.device().type == "cuda", "OVSEG_DEVICE?")
    yield holds("bfloat16 is calculated", has_bfloat16(on.device), "only imitated")
    generator = torch.Generator().manual_seed(0)
    a, b = (torch.randn(512, 512, generator=generator) for _ in range(2))
    maps, kernel = (torch.randn(2, 64, n, n, generator=generator) for n in (32, 3))
    kernel = kernel[:1].expand(64, -1, -1, -1).contiguous()
    pairs = {
        "matrix product": (lambda x, y: x @ y, a, b),
        "convolution": (torch.nn.functional.conv2d, maps, kernel),
    }
    for name, (run, *inputs) in pairs.items():
        found = run(*(x.to(on.device) for x in inputs))
        exact = run(*(x.double() for x in inputs))
        yield within(f"{name} in float32 against float64", apart(found, exact), 5e-6)


def goldens(on: Setting) -> Iterator[Row]:
    """Every golden of every folder, with our side on the device."""
    found = [(folder, name) for folder in on.goldens for name in index(folder)]
    if not found:
        yield skipped("goldens", f"none in {', '.join(map(str, on.goldens)) or 'no folder'}")
    with patch.object(Golden, "device", on.device):
        load_original.cache_clear()  # those may be on another device
        for folder, name in found:
            golden = f"{folder.name}/{name}"
            if not (folder / f"{name}.npz").is_file():
                yield skipped(golden, "its file was left out")
                continue
            try:
                check(Golden(name, folder))
            except Exception as error:  # the next ones are checked all the same
                what = " ".join(str(error).split())[:300]
                yield holds(golden, False, f"{type(error).__name__}: {what}")
            else:
                yield holds(golden, True)
        load_original.cache_clear()


def picture(side: int, seed: int = 0) -> np.ndarray:
    """A few coloured blocks under noise: uint8 (side, side + 16, 3)."""
    rng = np.random.default_rng(seed)
    blocks = rng.integers(0, 200, (5, 6, 3)).repeat(side // 5 + 1, 0).repeat(side // 6 + 4, 1)
    noise = rng.integers(0, 56, (side, side + 16, 3))
    return (blocks[:side, : side + 16] + noise).astype(np.uint8)


def both(model: torch.nn.Module, on: Setting) -> list[torch.nn.Module]:
    """The model on the CPU, and a copy on the device."""
    return [model, copy.deepcopy(model).to(on.device)]


def close(name: str, there: Tensor, here: Tensor) -> Row:
    """The device against the CPU: each may be off by the goldens' tolerance."""
    return within(name, error(there, here), 2 * allowed(here.double()))


def agreement(on: Setting) -> Iterator[Row]:
    """The device against the CPU, in float32, step by step of the one pass over a picture; every
    step gets what the CPU made before it."""
    clip = shipped_clip()
    clip.deepen_prompts(2, torch.Generator().manual_seed(0))
    clips, segmenters = both(clip, on), both(load_segmenter(MINIATURE), on)
    image = picture(64 if on.small else 256)

    here, there = (class_features(c, NAMES) for c in clips)
    yield close("text features", there, here)
    words = here
    given = [words, words.to(on.device)]
    shown = [resize_input(image, None)] * 2
    with torch.inference_mode():
        here, there = (s(shown, t) for s, t in zip(segmenters, given, strict=True))
    for name in ("class_embed", "pred_logits", "pred_masks"):
        pair = getattr(there, name), getattr(here, name)
        yield close(f"segmenter: {name}", *pair)
    here, there = (propose(s, shown)[0] for s in segmenters)
    for name in ("masks", "class_embed"):
        yield close(f"proposals: {name}", getattr(there, name), getattr(here, name))
    masks = here.masks
    with torch.inference_mode():
        classes, others = (
            s.class_probabilities(found.class_embed, t)
            for s, found, t in zip(segmenters, (here, there), given, strict=True)
        )
    yield close("proposals: classes", others, classes)
    yield from _regions(on, clips, given, shown[0], masks)

    here = label_map(classes, masks, image.shape[:2])
    there = label_map(classes.to(on.device), masks.to(on.device), image.shape[:2])
    other = float((there.cpu() != here).double().mean())
    yield within("semantic map: pixels named otherwise", other, 1e-3)
    style = RegionView(threshold=0.4)
    models = [OVSeg(*parts, view=style) for parts in zip(segmenters, clips, strict=True)]
    for mode in ("segmenter", "clip", "ensemble"):
        here, there = (model.scores(image, NAMES, mode) for model in models)
        yield close(f"semantic map: {mode}", there, here)
    here, there = (model.segment(image, NAMES).labels for model in models)
    yield within("free text: pixels named otherwise", float((here != there).mean()), 1e-3)
    yield from _evaluation(on, clips, segmenters, image)
    yield from _gradients_of_clip(on, clips)
    yield from _gradients_of_segmenter(on, "resnet", config(dropout=0.0, backbone=resnet()))
    yield from _gradients_of_segmenter(
        on, "swin, anchored",
        config(dropout=0.0, backbone=swin(drop_path=0.0), query_kind="anchored", queries=9),
    )  # fmt: skip


def _regions(on: Setting, clips: list, given: list, image: Tensor, masks: Tensor) -> Iterator[Row]:
    for fill in ("mean", "zero", "preserve"):
        view = RegionView(threshold=0.4, fill=fill, expand=1.2)
        here, there = (
            cut_regions(
                image.to(c.mean.device), masks.to(c.mean.device), view,
                c.image_size, c.mean, c.std,
            )
            for c in clips
        )  # fmt: skip
        same = torch.equal(there.valid.cpu(), here.valid)
        same = same and torch.equal(there.boxes_xyxy.cpu(), here.boxes_xyxy)
        yield holds(f"regions, {fill}: which and where", same, "valid masks or boxes differ")
        if same:
            yield close(f"regions, {fill}: pictures", there.images, here.images)
            yield close(f"regions, {fill}: masks", there.masks, here.masks)
    with torch.inference_mode():
        cut = [r.to(on.device) if i else r for r in (here.images, here.masks) for i in (0, 1)]
        for name, with_masks in (("whole", False), ("with prompts", True)):
            shown = [(cut[i], cut[2 + i] if with_masks else None) for i in (0, 1)]
            a, b = (c.encode_image(*s) for c, s in zip(clips, shown, strict=True))
            yield close(f"region features, {name}", b, a)
    view = RegionView(threshold=0.4)
    logits = []
    for clip, words in zip(clips, given, strict=True):
        [seen] = encode_regions(clip, [(image, masks)], view)
        logits.append(cosine_logits(seen.features, words))
    yield close("CLIP's logits of regions", logits[1], logits[0])


def _evaluation(on: Setting, clips: list, segmenters: list, image: np.ndarray) -> Iterator[Row]:
    truth = np.zeros(image.shape[:2], np.int32)
    truth[:, truth.shape[1] // 2 :] = 2
    truth[:4] = 255
    settings = section(
        "evaluate.common", sweep_weights=(0.2,), sweep_thresholds=(0.6,), boundary_iou=True
    )
    counted = []
    for clip, segmenter in zip(clips, segmenters, strict=True):
        labelled = EvalSet("gpu", Path("."), NAMES, [], ignore_label=255)
        comparison = Comparison(segmenter, {"base": clip}, [labelled], settings)
        [[found]] = comparison([LabelledPicture("1", image, (truth,))])
        counted.append(confusions := {})
        count(confusions, truth, found, labelled, {})
    here, there = counted
    assert here.keys() == there.keys() and here
    moved = max(np.abs(here[v] - there[v]).sum() / 2 for v in here) / truth.size
    yield within("evaluation: pixels counted elsewhere, worst variant", float(moved), 1e-3)


def _gradients_of_clip(on: Setting, clips: list[MaskClip]) -> Iterator[Row]:
    generator = torch.Generator().manual_seed(1)
    size, batch = clips[0].image_size, 6
    images = torch.randn(batch, 3, size, size, generator=generator)
    masks = torch.rand(batch, size, size, generator=generator) > 0.997
    nouns = torch.tensor([0, 1, 2, 0, 3, 1])
    words = class_features(clips[0], NAMES)
    for kind in ("plain", "unique_nouns"):
        found = []
        for clip in clips:
            place = clip.mean.device
            clip.requires_grad_(True).zero_grad(set_to_none=True)
            with math_attention():
                features = clip.encode_image(images.to(place), masks.to(place))
                shown = torch.nn.functional.normalize(features, dim=-1)
                ids = nouns.to(place)
                loss = contrastive_loss(
                    shown, words.to(place)[ids], 100.0, None if kind == "plain" else ids
                )
                loss.backward()
            found.append((loss, {n: p.grad for n, p in clip.named_parameters()}))
        yield from _compare(f"CLIP, {kind}", found, GRADIENT)
    for clip in clips:
        clip.requires_grad_(False)


def _gradients_of_segmenter(on: Setting, name: str, architecture) -> Iterator[Row]:
    torch.manual_seed(3)
    models = [m.train() for m in both(MaskFormer(architecture), on)]
    images = [torch.from_numpy(picture(64, seed)).permute(2, 0, 1) for seed in (1, 2)]
    masks = torch.zeros(3, *images[0].shape[1:], dtype=torch.bool)
    masks[0, :30], masks[1, 30:, :40], masks[2, 30:, 40:] = True, True, True
    found = []
    for model in models:
        place = model.mean.device
        targets = [Target(torch.arange(3).to(place), masks.to(place), counted)
                   for counted in (None, masks.any(0).to(place))]  # fmt: skip
        weights = WEIGHTS
        with math_attention():
            output = model(images, text().to(place))
            raw = weighted(losses(output, targets, weights), weights)
            loss = sum(raw.values())
            loss.backward()
        found.append((loss, {n: p.grad for n, p in model.named_parameters()}))
    yield from _compare(f"segmenter, {name}", found, GRADIENT)


def _compare(name: str, found: list[tuple[Tensor, dict]], limit: float) -> Iterator[Row]:
    (loss, gradients), (loss_there, gradients_there) = found
    yield close(f"{name}: loss", loss_there, loss)
    known = [key for key, value in gradients.items() if value is not None]
    silent = {key for key, value in gradients_there.items() if value is None}
    yield holds(f"{name}: the same parameters learn", silent.isdisjoint(known), str(silent))
    largest = max(float(gradients[key].abs().max()) for key in known)
    # A key's bias has no gradient but rounding noise, so the scale is that of all gradients.
    worst = max(
        float((gradients_there[key].cpu() - gradients[key]).abs().max()) / largest for key in known
    )
    yield within(f"{name}: gradients, of the largest", worst, limit)


class Killed(Exception):
    """In place of the signal: the run ends between two steps and leaves what it has written."""


def fine_tuning(on: Setting) -> Iterator[Row]:
    """A short fine-tuning: it learns, and a killed run ends as an uninterrupted one."""
    pairs = PairSet(write_pairs(on.work / "pairs", 60 if on.small else 600))
    how = section(
        "finetune.first", train="both", loss="unique_nouns", fill="mean", prompt_depth=2,
        learning_rate=1e-4,
        prompt_learning_rate=0.05, weight_decay=0.1, epochs=1.0 if on.small else 4.0,
        batch_size=12 if on.small else 48, warmup_steps=2, min_crop=0.8, bfloat16=False, seed=0,
    )  # fmt: skip

    def run(name: str, killed_at: int | None = None) -> tuple[dict[str, Tensor], dict]:
        step = _Run.step

        def until(self, number, batch):
            if number == killed_at:
                raise Killed
            return step(self, number, batch)

        clip = (tiny_clip() if on.small else shipped_clip()).to(on.device)
        with patch.object(_Run, "step", until):
            metrics = finetune(clip, pairs, how, on.work / name)
        return {k: v.detach().cpu() for k, v in clip.state_dict().items()}, metrics

    whole, told = run("whole")
    yield holds("its loss is a number", math.isfinite(told["loss"]), str(told))
    yield measured("held-out accuracy before", told["held_out_accuracy_before"], "")
    yield measured("held-out accuracy after", told["held_out_accuracy"], "")
    again, _ = run("again")
    yield from _resumed(on, lambda kill: run("killed", kill), told["steps"], whole, again)


def training_a_segmenter(on: Setting) -> Iterator[Row]:
    """A short training of a segmenter, likewise."""
    dataset, records = world(on.work / "world", 8)
    view = training(max_short_side=96, colour=True)
    data = TrainingSet(dataset, records, [0, 1, 2], view, 0, False)
    how = training(steps=5 if on.small else 60, batch_size=4, warmup_steps=2)

    def run(name: str, killed_at: int | None = None) -> tuple[dict[str, Tensor], dict]:
        step = SegmenterTrainer.run_step

        def until(self):
            if self.iter == killed_at:
                raise Killed
            step(self)

        torch.manual_seed(0)
        model = MaskFormer(config(query_kind="anchored", queries=9)).to(on.device)
        with patch.object(SegmenterTrainer, "run_step", until):
            result = train(model, data, text(), how, Checkpoints(on.work / name, "run"))
        return {k: v.detach().cpu() for k, v in model.state_dict().items()}, result.losses

    whole, told = run("whole-segmenter")
    yield holds("its loss is a number", math.isfinite(told["total_loss"]), str(told))
    yield measured("loss of the last steps", told["total_loss"], "")
    again, _ = run("again-segmenter")
    yield from _resumed(on, lambda kill: run("killed-segmenter", kill), how.steps, whole, again)


def _resumed(on: Setting, run, steps: int, whole: dict, again: dict) -> Iterator[Row]:
    """Killed after 70% of the steps and started again, against two uninterrupted runs."""
    try:
        run(max(1, steps * 7 // 10))
    except Killed:
        pass
    else:
        yield holds("the run was killed", False, "it ran through")
    resumed, _ = run(None)
    noise = max(apart(again[key], whole[key]) for key in whole)
    yield measured("two uninterrupted runs are apart", noise, "", "bit-equal" * (noise == 0))
    moved = max(apart(resumed[key], whole[key]) for key in whole)
    yield within(
        "the resumed run is apart", moved, max(4 * noise, NOISE if on.cuda else 0.0), "",
        "bit-equal" * (moved == 0),
    )  # fmt: skip


def torchrun(on: Setting) -> Iterator[Row]:
    """Both trainings as torchrun starts them: NCCL and a process a card, or gloo and two."""
    if on.pretended:
        yield skipped("torchrun", "the device is pretended, in one process")
        return
    number = torch.cuda.device_count() if on.cuda else (1 if on.small else 2)
    folder = on.work / "torchrun"
    folder.mkdir(parents=True)
    command = [sys.executable, "-m", "torch.distributed.run", "--standalone"]
    command += [f"--nproc_per_node={number}", "-m", "tests.gpu.spread", str(folder)]
    done = subprocess.run(
        command, cwd=ROOT, capture_output=True, text=True, timeout=170, check=False,
        env=os.environ | {"OVSEG_DEVICE": on.device.type},
    )  # fmt: skip
    yield holds("torchrun ends well", done.returncode == 0, done.stderr[-1500:])
    if done.returncode:
        return
    found = json.loads((folder / "found.json").read_text())
    backend = "nccl" if on.cuda else "gloo"
    joined = (found["backend"], found["processes"])
    yield holds(f"backend {backend}, {number} processes", joined == (backend, number), str(joined))
    heard = found["told"] == list(range(number))
    yield holds("what processes tell each other", heard, str(found["told"]))
    yield within("gradients by DistributedDataParallel", found["gradients"], GRADIENT)
    for name in ("fine-tuning", "segmenter"):
        yield holds(f"loss of the {name}", math.isfinite(found[name]), str(found[name]))
