import csv
import json

import pytest

from pipeline.core.records import Reject, read_parquet
from pipeline.evaluate.boundary import boundary_confusion
from pipeline.evaluate.confusion import empty_confusion
from pipeline.evaluate.report import write_report
from pipeline.evaluate.run import readable_pictures
from pipeline.evaluate.sheets import draw_sheets, ensemble_columns
from pipeline.evaluate.variants import SEGMENTER, Variant
from pipeline.ovseg.semantic import label_map
from tests.evaluate.small_set import (
    SETTINGS,
    add_faults,
    comparison,
    evaluated,
    small_set,
)

CLIPS = ["base", "second"]


def run(folder, eval_set):
    [evaluation] = evaluated(eval_set)
    metrics = write_report(folder, evaluation, eval_set, CLIPS, SETTINGS)
    columns = ensemble_columns(CLIPS, SETTINGS)
    draw_sheets(folder / "overlays", comparison(eval_set), 0, columns, 9)
    (folder / "metrics.json").write_text(json.dumps(metrics))
    return {path.relative_to(folder): path.read_bytes() for path in folder.rglob("*.*")}


@pytest.fixture(scope="module")
def eval_set(tmp_path_factory):
    return add_faults(small_set(tmp_path_factory.mktemp("pictures")))


@pytest.fixture(scope="module")
def files(eval_set, tmp_path_factory):
    folder = tmp_path_factory.mktemp("report")
    run(folder, eval_set)
    return folder


def rows(path):
    with open(path, encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def test_metrics_are_nested_by_clip_and_branch(files):
    metrics = json.loads((files / "metrics.json").read_text())
    assert metrics["set"] == {
        "images": 5,
        "rejected": {
            "size mismatch": 1,
            "unknown label": 1,
            "unreadable label map": 1,
            "unreadable picture": 1,
        },
        "classes": 5,
        "classes_in_truth": 4,
    }
    assert set(metrics) == {"set", "segmenter", "oracle_names", *CLIPS}
    for clip in CLIPS:
        branches = {"clip", "ensemble", "oracle_masks", "best_of_sweep"}
        assert set(metrics[clip]) == branches
        scores = metrics[clip]["ensemble"]
        assert 0 <= scores["miou_legacy"] <= scores["miou_current"] <= 100
        assert {"hiou_legacy", "miou_seen_legacy", "miou_unseen_current"} <= set(scores)
        best = metrics[clip]["best_of_sweep"]
        assert best["miou_legacy"] >= scores["miou_legacy"]


def test_one_line_per_class(files):
    table = rows(files / "classes.csv")
    assert [row["class"] for row in table] == ["cat", "dog", "grass", "sky", "road"]
    assert [row["seen"] for row in table] == ["1", "1", "1", "0", "0"]
    road = table[-1]
    assert road["pixels"] == "0"
    assert road["iou_segmenter"] == road["iou_second_ensemble"] == ""
    assert float(table[0]["iou_oracle_names"]) >= 0


def test_boundary_iou_of_every_class_where_asked_for(eval_set, tmp_path):
    settings = SETTINGS.model_copy(update={"boundary_iou": True})
    [evaluation] = evaluated(eval_set, settings=settings)
    write_report(tmp_path, evaluation, eval_set, CLIPS, settings)
    [plain], table = evaluated(eval_set), rows(tmp_path / "classes.csv")
    for variant, confusion in plain.confusions.items():  # nothing else changes
        assert (evaluation.confusions[variant] == confusion).all()
    titles = [key.removeprefix("iou_") for key in table[0] if key.startswith("iou_")]
    assert len(titles) == 2 + 3 * len(CLIPS)
    for row in table:
        for title in titles:
            iou, boundary = row[f"iou_{title}"], row[f"boundary_iou_{title}"]
            least = row[f"least_iou_{title}"]
            assert least == (min(iou, boundary, key=float) if iou and boundary else iou)
    models = comparison(eval_set, settings=settings)
    expected = empty_confusion(len(eval_set.classes))
    for picture in readable_pictures([eval_set], [[image] for image in eval_set.images], [[]]):
        [[found]], [truth] = models([picture]), picture.truths
        labels = label_map(found.probabilities[Variant(SEGMENTER)], found.masks, truth.shape)
        expected += boundary_confusion(labels.numpy(), truth, len(expected), 255)
    assert (evaluation.confusions[Variant(SEGMENTER, boundary=True)] == expected).all()


def test_tables_for_plots(files):
    metrics = json.loads((files / "metrics.json").read_text())
    bars = {row["branch"]: float(row["miou_legacy"]) for row in rows(files / "branches.csv")}
    assert bars["second ensemble"] == metrics["second"]["ensemble"]["miou_legacy"]
    assert bars["oracle names"] == metrics["oracle_names"]["miou_legacy"]
    sweep = {row["weight"]: row for row in rows(files / "sweep.csv")}
    assert list(sweep) == ["0.0", "0.6", "1.0"]
    assert float(sweep["0.6"]["base"]) == metrics["base"]["ensemble"]["miou_legacy"]
    assert float(sweep["0.0"]["base"]) == metrics["segmenter"]["miou_legacy"]
    assert len(rows(files / "grid.csv")) == 2 * 2 * 3  # clips, thresholds, weights


def test_rejects_are_written(files):
    assert len(read_parquet(files / "rejects.parquet", Reject)) == 4


def test_a_second_run_writes_the_same_bytes(files, eval_set, tmp_path):
    again = run(tmp_path, eval_set)
    first = {path.relative_to(files): path.read_bytes() for path in files.rglob("*.*")}
    assert len([path for path in first if path.suffix == ".png"]) == 5
    assert again == first
