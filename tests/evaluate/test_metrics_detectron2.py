"""Our metrics against detectron2's own evaluator, on the same predictions."""

import json

import numpy as np
import pytest
import torch
from detectron2.data import DatasetCatalog, MetadataCatalog
from detectron2.evaluation import SemSegEvaluator
from PIL import Image

from pipeline.evaluate.boundary import boundary_confusion, boundary_iou, least_iou
from pipeline.evaluate.confusion import confusion_matrix
from pipeline.evaluate.metrics import class_iou, segmentation_metrics

SHARED_KEYS = {"fwiou": "fwIoU", "pixel_accuracy": "pACC", "mean_accuracy": "mACC"}


@pytest.fixture
def catalogued(tmp_path):
    """Three label maps of five classes on disk, registered in detectron2's catalogs. Boundaries
    reach 3 pixels in them."""
    random = np.random.default_rng(0)
    spots = random.choice([0, 1, 2, 4, 255], size=(3, 8, 12))
    truths = spots.repeat(10, axis=1).repeat(10, axis=2).astype(np.uint8)
    records = []
    for i, truth in enumerate(truths):
        Image.fromarray(truth).save(tmp_path / f"{i}.png")
        records.append({"file_name": f"{i}.jpg", "sem_seg_file_name": str(tmp_path / f"{i}.png")})
    name = f"ovseg-test-{tmp_path.name}"
    DatasetCatalog.register(name, lambda: records)
    MetadataCatalog.get(name).set(stuff_classes=list("abcde"), ignore_label=255)
    yield name, records, truths
    DatasetCatalog.remove(name)
    MetadataCatalog.remove(name)


def read(path: str, dtype: type) -> np.ndarray:
    return np.asarray(Image.open(path)).astype(dtype)


def test_metrics_equal_detectron2s_evaluator_on_the_same_predictions(catalogued):
    name, records, truths = catalogued
    scores = torch.from_numpy(np.random.default_rng(1).random((3, 5, 80, 120), dtype=np.float32))
    for truth, score in zip(truths, scores, strict=True):  # right for half of the pixels
        for label in range(5):
            score[label][torch.from_numpy(truth == label)] += 0.5
    # detectron2's own reader needs numpy 1
    evaluator = SemSegEvaluator(name, distributed=False, sem_seg_loading_fn=read)
    evaluator.reset()
    evaluator.process(records, [{"sem_seg": score} for score in scores])
    theirs = json.loads(json.dumps(evaluator.evaluate()["sem_seg"]))

    ours = sum(
        confusion_matrix(score.argmax(dim=0).numpy(), truth, 5, 255)
        for truth, score in zip(truths, scores, strict=True)
    )
    metrics = segmentation_metrics(ours)
    assert metrics["miou_current"] == pytest.approx(theirs["mIoU"], abs=1e-9)
    assert metrics["miou_legacy"] == pytest.approx(theirs["mIoU"] * 4 / 5, abs=1e-9)
    for key, their_key in SHARED_KEYS.items():
        assert metrics[key] == pytest.approx(theirs[their_key], abs=1e-9)
    outlines = sum(
        boundary_confusion(score.argmax(dim=0).numpy(), truth, 5, 255)
        for truth, score in zip(truths, scores, strict=True)
    )
    boundary = boundary_iou(outlines)
    numbers = {
        "IoU": class_iou(ours),
        "BoundaryIoU": boundary,
        "min(IoU, B-Iou)": least_iou(class_iou(ours), boundary),
    }
    for key, values in numbers.items():
        for value, label in zip(values, "abcde", strict=True):
            assert value == pytest.approx(theirs[f"{key}-{label}"], abs=1e-9, nan_ok=True)
    assert theirs["BoundaryIoU-d"] > 0  # of a class that stands nowhere
