import numpy as np
import pytest

from pipeline.core.records import Reject, read_parquet
from pipeline.data.dataset import read_dataset, read_split
from pipeline.data.labels import read_label
from pipeline.data.prepare import prepare
from pipeline.data.sets import load_eval_set
from pipeline.world.vocabulary import CLOSED, NOUNS, UNSEEN
from tests.data.benchmarks.roots import make_ade150, make_context
from tests.data.folders import make_coco
from tests.data.test_own import make_own
from tests.shipped import section

WORLD = section(
    "dataset", train_scenes=6, val_scenes=4, side=64, min_objects=2, max_objects=3,
    closed_share=0.5, seed=3,
)  # fmt: skip


@pytest.fixture(scope="module")
def openmoji(tmp_path_factory):
    out = tmp_path_factory.mktemp("openmoji")
    return out, prepare("openmoji", None, ["world-closed", "world-open"], WORLD, out)


def test_openmoji_counts(openmoji):
    out, counts = openmoji
    assert counts["train"] == {"pictures": 6, "captions": 30, "label_maps": 6}
    assert counts["val"] == {"pictures": 4, "captions": 20, "label_maps": 4}
    assert counts["sets"] == {"world-closed": 4, "world-open": 4}
    assert (counts["classes"], counts["rejects"]) == (60, {})


def test_openmoji_folder_moves_as_a_whole(openmoji, tmp_path):
    out, _ = openmoji
    (tmp_path / "moved").symlink_to(out)
    dataset = read_dataset(tmp_path / "moved")
    record = read_split(tmp_path / "moved", "train")[0]
    label = dataset.read_label(record)
    assert label.shape == (64, 64)
    assert set(np.unique(label)) <= {*range(len(CLOSED)), 255}


def test_openmoji_open_set_extends_the_closed_one(openmoji):
    closed, everything = (
        load_eval_set(openmoji[0] / f"sets/{name}.json") for name in ("world-closed", "world-open")
    )
    assert everything.classes[: len(CLOSED)] == closed.classes == list(CLOSED)
    assert len(everything.classes) == len(NOUNS)
    assert [closed.classes[i] for i in range(60) if i not in closed.seen] == [
        name for name in CLOSED if name in UNSEEN
    ]
    assert everything.seen == list(range(60))
    for one, other in zip(closed.images, everything.images, strict=True):
        narrow = read_label(closed.root / one.label_path)
        wide = read_label(everything.root / other.label_path)
        assert np.array_equal(narrow, np.where(wide < len(CLOSED), wide, 255))


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


def test_own_folder(tmp_path):
    root, out = make_own(tmp_path / "own"), tmp_path / "out"
    counts = prepare("own", str(root), ["own"], WORLD, out)
    assert counts["sets"] == {"own": 1}
    eval_set = load_eval_set(out / "sets/own.json")
    assert (eval_set.classes, eval_set.images[0].path) == (["cat", "sofa"], "images/c.jpg")
    (root / "val.txt").unlink()
    with pytest.raises(ValueError, match="needs held-out pictures with masks: list them"):
        prepare("own", str(root), ["own"], WORLD, out)
    assert prepare("own", str(root), [], WORLD, out)["train"]["pictures"] == 3


def test_missing_data_is_told_before_any_work(tmp_path):
    with pytest.raises(FileNotFoundError, match="for ade150.*\n(.*\n)*Ready there: nothing"):
        prepare("openmoji", str(tmp_path), ["world-open", "ade150"], WORLD, tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_unknown_sets_are_named(tmp_path):
    with pytest.raises(ValueError, match="no set 'ade151' with source openmoji; there are world"):
        prepare("openmoji", None, ["ade151"], WORLD, tmp_path)
    with pytest.raises(ValueError, match="no set 'world-open' with source coco"):
        prepare("coco", None, ["world-open"], WORLD, tmp_path)
