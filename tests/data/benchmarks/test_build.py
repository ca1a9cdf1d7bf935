"""An evaluation set holds the pictures that can be used; the others are rejects with a reason."""

import numpy as np
import pytest

from pipeline.data.benchmarks.build import build_benchmark
from pipeline.data.labels import read_label
from tests.data.benchmarks.roots import make_ade150
from tests.data.folders import make_coco, save_label


def test_a_set_without_usable_pictures_says_why(tmp_path):
    make_ade150(tmp_path)
    for path in (tmp_path / "ADEChallengeData2016/annotations/validation").iterdir():
        save_label(path, np.zeros((3, 3), np.uint8))
    with pytest.raises(ValueError, match=r"no usable picture.*label map size differs"):
        build_benchmark("ade150", str(tmp_path), tmp_path / "out")


def test_a_value_that_the_challenge_set_does_not_have_is_a_reject(tmp_path):
    make_ade150(tmp_path)
    path = tmp_path / "ADEChallengeData2016/annotations/validation/ADE_val_00000001.png"
    save_label(path, np.full((6, 8), 255, np.uint8))  # as detectron2 converts them, less 1
    [reject] = build_benchmark("ade150", str(tmp_path), tmp_path / "out")
    assert (reject.reason, reject.item) == (
        "unknown class in label map", "ADEChallengeData2016/annotations/validation/" + path.name
    )  # fmt: skip
    assert "found 255; expected classes 1..150 of ADE20K, 150 classes, or not" in reject.detail


def test_stuff_maps_that_count_from_one_are_no_evaluation_set(tmp_path):
    make_coco(tmp_path / "coco")
    for path in (tmp_path / "coco/stuffthingmaps/val2017").iterdir():
        save_label(path, read_label(path).astype(np.uint8) + np.uint8(1))
    with pytest.raises(ValueError, match="no usable picture.*label maps numbered otherwise"):
        build_benchmark("cocostuff171", str(tmp_path), tmp_path / "out")


def test_a_value_that_stuff_maps_do_not_have_is_a_reject(tmp_path):
    make_coco(tmp_path / "coco")
    path = tmp_path / "coco/stuffthingmaps/val2017/000000000003.png"
    save_label(path, np.full((6, 8), 182, np.uint8))
    rejects = build_benchmark("cocostuff171", str(tmp_path), tmp_path / "out")
    assert ("coco/stuffthingmaps/val2017/000000000003.png", "unknown class in label map") in [
        (r.item, r.reason) for r in rejects
    ]


def test_a_picture_cut_short_is_no_picture_of_the_set(tmp_path):
    make_coco(tmp_path / "coco")
    path = tmp_path / "coco/val2017/000000000003.jpg"
    path.write_bytes(path.read_bytes()[:-40])
    rejects = build_benchmark("cocostuff171", str(tmp_path), tmp_path / "out")
    assert (f"coco/val2017/{path.name}", "unreadable picture or label map") in [
        (r.item, r.reason) for r in rejects
    ]
