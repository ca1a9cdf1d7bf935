"""Each source becomes a data-set folder with the evaluation sets that belong to it."""

import numpy as np
import pytest

from pipeline.data.dataset import read_dataset, read_split
from pipeline.data.labels import read_label
from pipeline.data.prepare import prepare
from pipeline.data.sets import load_eval_set
from pipeline.world.vocabulary import CLOSED, NOUNS, UNSEEN
from tests.data.folders import WORLD, make_own


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
