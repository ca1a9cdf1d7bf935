"""What lower precision changes: on the goldens, tensor by tensor, and in mIoU on a whole set.

    python -m tests.benchmarks.bench_numerics
    python -m tests.benchmarks.bench_numerics --data data --set world-open --pictures 100

The first takes the goldens of OVSEG_GOLDENS (a minute); the second adds the models and the
evaluation set under --data. float32 is the reference both are compared with.
"""

import argparse
import time
from collections import defaultdict
from dataclasses import replace
from pathlib import Path
from typing import get_args

import numpy as np
import torch
from rich.console import Console
from rich.table import Table

from pipeline.clip.encode import encode_regions
from pipeline.clip.view import RegionView
from pipeline.core.modes import Mode, Precision
from pipeline.core.precision import in_precision, seed_everything
from pipeline.core.program import set_up
from pipeline.data.sets import load_eval_set
from pipeline.evaluate.confusion import confusion_matrix, empty_confusion
from pipeline.evaluate.metrics import segmentation_metrics
from pipeline.evaluate.run import readable_pictures
from pipeline.maskformer.propose import resize_input
from pipeline.ovseg import OVSeg
from pipeline.ovseg.ensemble import cosine_logits
from pipeline.ovseg.semantic import label_map
from tests.golden_checks.clip import clip_from, pictures
from tests.golden_checks.model import Ways, model_of, picture
from tests.goldens import FOLDER, Golden, index
from tests.ovseg.tiny import look

PRECISIONS: tuple[Precision, ...] = get_args(Precision)
MODES: tuple[Mode, ...] = ("segmenter", "clip", "ensemble")
ERRORS = ("largest error", "mean error", "largest value")


@torch.inference_mode()
def golden_errors(precision: Precision) -> dict[str, dict[str, float]]:
    """Per kind of tensor: the largest and the mean absolute error over all goldens that hold it,
    and the largest absolute value, for scale."""
    pairs = defaultdict(list)
    cpu = torch.device("cpu")
    for name, about in index(FOLDER).items():
        if "mask_cases" in about:
            golden = Golden(name, FOLDER)
            clip = clip_from(golden.other(about["weights"][0].split()[0]))
            images, masks = pictures(golden)
            with in_precision(cpu, precision):
                ours = clip.encode_image(images, masks)
            pairs["CLIP features"].append((ours, golden["feat_with_mask"]))
        if "cases" in about and "modes" in about:
            _whole_model(Golden(name, FOLDER), precision, pairs)
    return {kind: _errors(found) for kind, found in pairs.items()}


def _whole_model(golden: Golden, precision: Precision, pairs: dict[str, list]) -> None:
    model, text = model_of(golden), golden.tensor("text_features")
    for case, about in golden.about["cases"].items():
        shown = picture(golden, case)
        image = resize_input(shown, None)
        with in_precision(torch.device("cpu"), precision):
            output = model.segmenter([image], text[:-1])
        pairs["mask logits"].append((output.pred_masks, golden[f"{case}.pred_masks"]))
        pairs["segmenter logits"].append((output.pred_logits, golden[f"{case}.pred_logits"]))
        exact = look(model, shown, golden.about["class_names"])  # CLIP sees the same regions
        view = replace(model.view, precision=precision)
        [regions] = encode_regions(model.clip, [(image, exact.masks)], view)
        logits = cosine_logits(regions.features, text)
        pairs["CLIP logits"].append((logits, golden[f"{case}.clip_logits"]))
        for mode in golden.about["modes"]:
            if f"{case}.sem_seg.{mode}" in golden:
                ways = Ways.of(mode, golden.about["modes"])
                ready = model_of(golden, ways)
                ready.predictor.precision = precision
                ready.predictor.views = [view]
                scores = ready.scores(
                    shown, golden.about["class_names"], ways.branch, tuple(about["output_hw"])
                )
                pairs["semantic maps"].append((scores, golden[f"{case}.sem_seg.{mode}"]))


def _errors(pairs: list[tuple[torch.Tensor, np.ndarray]]) -> dict[str, float]:
    apart = np.concatenate([np.abs(ours.float().numpy() - gold).ravel() for ours, gold in pairs])
    peak = max(float(np.abs(gold).max()) for _, gold in pairs)
    return dict(zip(ERRORS, (float(apart.max()), float(apart.mean()), peak), strict=True))


def set_results(data: Path, set_name: str, clip: str, most: int, threshold: float) -> dict:
    """Per precision and mode: mIoU (current definition, %), share of pixels with another label
    than in float32 (%), and seconds a picture of the look itself."""
    eval_set = load_eval_set(data / "dataset" / "sets" / f"{set_name}.json")
    eval_set.images[most:] = []
    models = {
        precision: OVSeg.load(data, clip, view=RegionView(threshold=threshold), precision=precision)
        for precision in PRECISIONS
    }
    confusions = defaultdict(lambda: empty_confusion(len(eval_set.classes)))
    other, pixels, seconds = defaultdict(int), 0, defaultdict(float)
    for shown in readable_pictures([eval_set], [[each] for each in eval_set.images], [[]]):
        [truth] = shown.truths
        reference = {}
        pixels += truth.size
        for precision, model in models.items():
            start = time.perf_counter()
            evidence = look(model, shown.image, eval_set.classes)
            seconds[precision] += time.perf_counter() - start
            for mode in MODES:
                parts = model.combine(
                    evidence.prediction, evidence.scores, mode, len(eval_set.classes)
                )
                labels = label_map(*parts, truth.shape).cpu().numpy()
                reference.setdefault(mode, labels)  # float32 comes first
                other[precision, mode] += int((labels != reference[mode]).sum())
                confusions[precision, mode] += confusion_matrix(
                    labels, truth, len(eval_set.classes), eval_set.ignore_label
                )
    return {
        (precision, mode): (
            segmentation_metrics(confusion)["miou_current"],
            100 * other[precision, mode] / pixels,
            seconds[precision] / len(eval_set.images),
        )
        for (precision, mode), confusion in confusions.items()
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path)
    parser.add_argument("--set", default="world-open")
    parser.add_argument("--clip", default="finetune/second")
    parser.add_argument("--pictures", type=int, default=100)
    parser.add_argument("--threshold", type=float, default=0.4)
    options = parser.parse_args()
    seed_everything(0)
    console = Console()
    table = Table("tensor", "precision", *ERRORS, title="Against the goldens")
    for precision in PRECISIONS:
        for kind, values in golden_errors(precision).items():
            table.add_row(kind, precision, *(f"{values[e]:.2g}" for e in ERRORS))
    console.print(table)
    if options.data is None:
        return
    table = Table("mode", "precision", "mIoU", "other labels %", "s/picture", title=options.set)
    found = set_results(
        options.data, options.set, options.clip, options.pictures, options.threshold
    )
    for (precision, mode), (miou, changed, seconds) in found.items():
        table.add_row(mode, precision, f"{miou:.2f}", f"{changed:.2f}", f"{seconds:.3f}")
    console.print(table)


if __name__ == "__main__":
    set_up()
    main()
