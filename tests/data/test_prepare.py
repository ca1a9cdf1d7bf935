import numpy as np
import pytest

from pipeline.core.records import Reject, read_parquet
from pipeline.data.dataset import read_dataset, read_split
from pipeline.data.prepare import prepare
from tests.data.benchmarks.roots import make_ade150, make_context
from tests.data.folders import WORLD, make_coco


def test_coco_with_benchmarks_and_kept_conversions(tmp_path):
    root, out = tmp_path / "root", tmp_path / "out"
    make_coco(root / "coco", "train2017")
    make_coco(root / "coco", "val2017")
    make_context(root)
    make_ade150(root)
    counts = prepare("coco", str(root), ["pc59", "ade150", "cocostuff156"], WORLD, out)
    assert counts["train"] == {"pictures": 3, "captions": 3, "label_maps": 2}
    assert counts["sets"] == {"pc59": 2, "ade150": 2, "cocostuff156": 2}
    assert counts["rejects"] == {"no caption": 2, "no label map": 3}
    assert len(read_parquet(out / "rejects.parquet", Reject)) == 5
    dataset = read_dataset(out)
    assert (len(dataset.classes), sum(dataset.seen)) == (171, 156)
    assert set(np.unique(dataset.read_label(read_split(out, "train")[0]))) == {1, 170, 255}

    converted = sorted((out / "labels/context").glob("*.png"))
    before = [path.stat().st_mtime_ns for path in converted]
    prepare("coco", str(root), ["pc459"], WORLD, out)
    assert [path.stat().st_mtime_ns for path in converted] == before
    assert [path.name for path in (out / "sets").iterdir()] == ["pc459.json"]
    prepare("coco", str(root), ["ade150"], WORLD, out)
    assert not (out / "labels/context").exists()


def test_missing_data_is_told_before_any_work(tmp_path):
    with pytest.raises(FileNotFoundError, match="for ade150.*\n(.*\n)*Ready there: nothing"):
        prepare("openmoji", str(tmp_path), ["world-open", "ade150"], WORLD, tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_unknown_sets_are_named(tmp_path):
    with pytest.raises(ValueError, match="no set 'ade151' with source openmoji; there are world"):
        prepare("openmoji", None, ["ade151"], WORLD, tmp_path)
    with pytest.raises(ValueError, match="no set 'world-open' with source coco"):
        prepare("coco", None, ["world-open"], WORLD, tmp_path)
