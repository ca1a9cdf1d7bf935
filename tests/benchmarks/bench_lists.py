"""What a further class list on the same pictures costs, against the first.

    python -m tests.benchmarks.bench_lists DATA SET,SET [PICTURES]

DATA: the folder of a finished run (`data`). Counts the pictures with the first list alone and with
all lists in one pass, in turns, in processor time, and prints the share that the further lists add.
With `--full-size` in the place of DATA: one 640-pixel picture, R-101c + ViT-B/16 of random weights,
150 classes and 847, the lists of ADE20K.
"""

import statistics
import sys
import time
from pathlib import Path

import numpy as np
import torch

from pipeline.clip.store import load_clip
from pipeline.data.classes import load_class_list
from pipeline.data.sets import EvalImage, EvalSet, load_eval_set
from pipeline.evaluate.compare import Comparison, LabelledPicture
from pipeline.evaluate.run import evaluate
from pipeline.maskformer.store import load_segmenter
from tests.benchmarks.bench_full_size import MODELS, build
from tests.shipped import section

ROUNDS = 2
SWEEP = (0.0, 0.2, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 1.0)


def processor_time(run) -> float:
    start = time.process_time()
    run()
    return time.process_time() - start


def report(alone, together, further: int) -> None:
    alone(), together()  # text features are kept from here on
    first, both = [], []
    for _ in range(ROUNDS):
        first.append(processor_time(alone))
        both.append(processor_time(together))
    shares = [(b / a - 1) / further for a, b in zip(first, both, strict=True)]
    print(
        f"first list {statistics.median(first):.1f} s, each further one "
        f"{statistics.median(shares):+.1%} ({', '.join(f'{s:+.1%}' for s in shares)})"
    )


def of_a_run(data: Path, names: list[str], pictures: int) -> None:
    sets = [load_eval_set(data / "dataset/sets" / f"{name}.json") for name in names]
    settings = section("evaluate.common", sweep_weights=SWEEP)
    clips = {
        name: load_clip(data / folder)
        for name, folder in (
            ("base", "base_clip"), ("first", "finetune/first"), ("second", "finetune/second"),
        )
    }  # fmt: skip
    segmenter = load_segmenter(data / "segmenter")

    def counting(chosen: list[EvalSet]):
        comparison = Comparison(segmenter, clips, chosen, settings)
        entries = list(zip(*(each.images[:pictures] for each in chosen), strict=True))
        return lambda: evaluate(comparison, entries)

    report(counting(sets[:1]), counting(sets), len(sets) - 1)


def of_full_size() -> None:
    backbone, clip_name, _ = MODELS["r101c-vitb16"]
    segmenter, clip = build(backbone, clip_name)
    rng = np.random.default_rng(0)
    image = rng.integers(0, 256, (640, 640, 3), dtype=np.uint8)
    truth = rng.integers(0, 8, (8, 8)).repeat(80, axis=0).repeat(80, axis=1).astype(np.int32)
    entry = EvalImage("1", "1.jpg", "1.png", 640, 640)
    sets = [
        EvalSet(name, Path("."), load_class_list(name).names, [entry], ignore_label=65535)
        for name in ("ade150", "ade847")
    ]
    settings = section("evaluate.common", mask_threshold=1e-6, sweep_weights=SWEEP)

    def predicting(chosen: list[EvalSet]):
        comparison = Comparison(segmenter, {"base": clip}, chosen, settings)
        return lambda: comparison([LabelledPicture("1", image, (truth,) * len(chosen))])

    report(predicting(sets[:1]), predicting(sets), 1)


if __name__ == "__main__":
    torch.set_num_threads(1)
    if sys.argv[1] == "--full-size":
        of_full_size()
    else:
        of_a_run(Path(sys.argv[1]), sys.argv[2].split(","), int((sys.argv[3:] or ["24"])[0]))
