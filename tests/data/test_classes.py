import importlib.util
import runpy
from pathlib import Path

import pytest

from pipeline.data.classes import load_class_list
from tests.data.folders import samples

SIZES = {
    "ade150": 150, "ade847": 847, "cocostuff": 171, "context59": 59, "context459": 459, "voc20": 20
}  # fmt: skip


@pytest.mark.parametrize("name", SIZES)
def test_sizes_and_uniqueness(name):
    classes = load_class_list(name)
    assert len(classes.names) == len(set(classes.stored)) == SIZES[name]
    assert all(n == n.strip() and n for n in classes.names)
    assert len(set(classes.names)) == SIZES[name]
    assert sorted(classes.label_map.values()) == list(range(SIZES[name]))


def test_ade150_names_are_those_of_detectron2():
    """Read from its file, since importing detectron2 takes seconds."""
    spec = importlib.util.find_spec("detectron2")
    if spec is None:
        pytest.skip("detectron2 is not installed")
    path = Path(spec.origin).parent / "data" / "datasets" / "builtin_meta.py"
    metadata = runpy.run_path(str(path))
    names = [name.strip() for name in metadata["ADE20K_SEM_SEG_CATEGORIES"]]
    assert load_class_list("ade150").names == names
    assert load_class_list("ade150").stored == list(range(1, 151))


def test_cocostuff_split():
    classes = load_class_list("cocostuff")
    assert (classes.names[0], classes.stored[0]) == ("person", 0)
    assert (classes.names[-1], classes.stored[-1]) == ("wood", 181)
    unseen = [v for v, note in zip(classes.stored, classes.notes, strict=True) if note == "unseen"]
    # the ids published with SPNet and ZS3Net
    assert unseen == [20, 24, 32, 33, 40, 56, 86, 99, 105, 123, 144, 147, 148, 168, 171]
    assert classes.notes.count("seen") == 156


def test_context59_is_part_of_context459():
    full, part = load_class_list("context459"), load_class_list("context59")
    for name, value in zip(part.names, part.stored, strict=True):
        assert full.names[full.stored.index(value)] == name
    renamed = {"diningtable": "table"}
    assert [renamed.get(n, n) for n in load_class_list("voc20").names] == part.names[:20]


def test_context59_is_the_official_list_under_the_names_in_use():
    """59_labels.txt, with the three names that OVSeg and mmsegmentation took from the 459."""
    lines = (samples() / "classlists" / "pascal_context_59.txt").read_text().splitlines()
    official = [line.partition(": ")[2] for line in lines if not line.startswith("0: ")]
    in_use = {"diningtable": "table", "clothes": "cloth", "bedcloth": "bedclothes"}
    assert load_class_list("context59").names == [in_use.get(n, n) for n in official]


def test_cocostuff_is_the_official_list():
    """Ids 1..182 of which 171 are used; label maps hold the id - 1."""
    lines = (samples() / "classlists" / "cocostuff_ids.txt").read_text().splitlines()
    official = dict(line.split(": ") for line in lines)
    classes = load_class_list("cocostuff")
    for stored, name in zip(classes.stored, classes.names, strict=True):
        assert official[str(stored + 1)] == name


def test_names_match_the_sample_lists():
    folder = samples() / "classlists"
    lines = (folder / "pascal_context_459.txt").read_text().splitlines()
    full = load_class_list("context459")
    pairs = zip(full.stored, full.names, strict=True)
    assert [f"{value}: {name}" for value, name in pairs] == lines
