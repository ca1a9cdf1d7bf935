"""An evaluation set of a few small pictures on disk, some faulty, and tiny models for it."""

from pathlib import Path

import numpy as np
from PIL import Image

from pipeline.data.images import read_image
from pipeline.data.labels import write_label
from pipeline.data.sets import EvalImage, EvalSet, read_label
from pipeline.evaluate.compare import Comparison, LabelledPicture, Outcomes
from pipeline.evaluate.params import EvaluateCommon
from pipeline.evaluate.run import Evaluation, evaluate
from tests.ovseg.tiny import tiny_clip, tiny_segmenter
from tests.shipped import section

CLASSES = ["cat", "dog", "grass", "sky", "road"]
SIZES = [(40, 56), (40, 56), (64, 48), (1, 1), (30, 90)]  # (height, width)


def small_set(root: Path) -> EvalSet:
    """Five good pictures of random blobs; class "road" is nowhere; ids 0..2 are seen."""
    random = np.random.default_rng(7)
    entries = []
    for i, (height, width) in enumerate(SIZES):
        truth = np.kron(random.integers(0, 4, (-(-height // 8), -(-width // 8))), np.ones((8, 8)))
        truth = truth[:height, :width].astype(np.int32)
        truth[: height // 8] = 255
        pixels = random.integers(0, 80, (height, width, 3)) + truth[..., None] % 4 * 50
        entries.append(add(root, f"good{i}", pixels.astype(np.uint8), truth))
    return EvalSet("small", root, CLASSES, entries, seen=[0, 1, 2])


def add(root: Path, name: str, pixels: np.ndarray, truth: np.ndarray) -> EvalImage:
    """Write a picture and its label map; returns their entry."""
    Image.fromarray(pixels).save(root / f"{name}.png")
    write_label(root / f"{name}-label.png", truth)
    height, width = truth.shape
    return EvalImage(name, f"{name}.png", f"{name}-label.png", width, height)


def add_faults(eval_set: EvalSet) -> EvalSet:
    """The set with four pictures between the others that cannot be evaluated."""
    root, pixels = eval_set.root, np.zeros((8, 9, 3), np.uint8)
    faults = [
        add(root, "torn", pixels, np.zeros((8, 9), np.int32)),
        add(root, "unlabelled", pixels, np.zeros((8, 9), np.int32)),
        add(root, "too-small", pixels, np.zeros((8, 8), np.int32)),
        add(root, "unknown", pixels, np.full((8, 9), 77, np.int32)),
    ]
    (root / "torn.png").write_bytes((root / "torn.png").read_bytes()[:30])
    (root / "unlabelled-label.png").unlink()
    good = eval_set.images
    images = [*good[:2], *faults, *good[2:]]
    return EvalSet("small", root, CLASSES, images, seen=eval_set.seen)


SETTINGS = section(
    "evaluate.common",
    ensemble_weight=0.6,
    mask_threshold=0.5,
    sweep_weights=(0.0, 0.6, 1.0),
    sweep_thresholds=(0.45,),
)


def comparison(*sets: EvalSet, settings: EvaluateCommon = SETTINGS) -> Comparison:
    clips = {"base": tiny_clip(0), "second": tiny_clip(1, prompt_depth=2)}
    return Comparison(tiny_segmenter(), clips, sets, settings)


def evaluated(*sets: EvalSet, settings: EvaluateCommon = SETTINGS) -> list[Evaluation]:
    entries = list(zip(*(eval_set.images for eval_set in sets), strict=True))
    return evaluate(comparison(*sets, settings=settings), entries)


def outcomes(eval_set: EvalSet, pictures: list[LabelledPicture], **options) -> list[Outcomes]:
    return [found for [found] in comparison(eval_set, **options)(pictures)]


def pictures(eval_set: EvalSet) -> list[LabelledPicture]:
    return [
        LabelledPicture(
            entry.image_id,
            read_image(eval_set.root / entry.path),
            (read_label(eval_set.root / entry.label_path),),
        )
        for entry in eval_set.images
    ]
