import json

import numpy as np
import pytest

from pipeline.data.benchmarks.build import build_benchmark
from pipeline.data.benchmarks.cocostuff import decode_panoptic
from pipeline.data.labels import read_label
from pipeline.data.sets import load_eval_set
from tests.data.benchmarks.roots import make_panoptic
from tests.data.folders import make_coco, samples, save_label, write_json


def mapped(eval_set, index):
    path = eval_set.root / eval_set.images[index].label_path
    return read_label(path, eval_set.label_map, eval_set.ignore_label)


def test_stuff_ids_lose_their_gaps(tmp_path):
    make_coco(tmp_path / "coco")
    rejects = build_benchmark("cocostuff171", str(tmp_path), tmp_path / "out")
    assert [(r.item, r.reason) for r in rejects] == [
        ("coco/val2017/000000000002.jpg", "no label map")
    ]
    eval_set = load_eval_set(tmp_path / "out/sets/cocostuff171.json")
    label = mapped(eval_set, 0)
    assert (label[0] == 1).all() and eval_set.classes[1] == "bicycle"
    assert (label[5, :4] == 170).all() and eval_set.classes[170] == "wood"
    assert (label[5, 4:] == 255).all()
    assert eval_set.seen is None


def test_zero_shot_split(tmp_path):
    make_coco(tmp_path / "coco")
    build_benchmark("cocostuff156", str(tmp_path), tmp_path / "out")
    eval_set = load_eval_set(tmp_path / "out/sets/cocostuff156.json")
    unseen = [name for i, name in enumerate(eval_set.classes) if i not in eval_set.seen]
    assert len(eval_set.seen) == 156
    assert unseen == [
        "cow", "giraffe", "suitcase", "frisbee", "skateboard", "carrot", "scissors", "cardboard",
        "clouds", "grass", "playingfield", "river", "road", "tree", "wall-concrete",
    ]  # fmt: skip


def test_crowds_and_unlabelled_pixels_are_ignored(tmp_path):
    make_panoptic(tmp_path)
    build_benchmark("cocopanoptic", str(tmp_path), tmp_path / "out")
    eval_set = load_eval_set(tmp_path / "out/sets/cocopanoptic.json")
    label = mapped(eval_set, 0)
    wall = eval_set.classes.index("wall-other-merged")
    assert (label[:2] == 0).all()  # the person
    assert (label[2:4] == 255).all()  # the crowd
    assert (label[4:, :4] == wall).all() and (label[4:, 4:] == 255).all()


def test_unknown_segment_is_named(tmp_path):
    save_label(tmp_path / "x.png", np.full((2, 2, 3), (9, 1, 0), np.uint8))
    with pytest.raises(ValueError, match="x.png: segment 265 is not in"):
        decode_panoptic(tmp_path / "x.png", [[5, 1, 0]])


def test_panoptic_and_stuff_maps_of_the_sample_agree_on_things(tmp_path):
    """Two annotations of the same pictures; they share the thing masks but for crowds."""
    real = samples() / "coco"
    document = json.loads((real / "annotations/panoptic_val2017.json").read_text())
    both = [
        entry
        for entry in document["annotations"]
        if (real / "stuffthingmaps/val2017" / entry["file_name"]).is_file()
    ][:3]
    root = tmp_path / "root"
    write_json(root / "coco/annotations/panoptic_val2017.json", {"annotations": both})
    for name in ("val2017", "stuffthingmaps"):
        (root / "coco" / name).symlink_to(real / name)
    (root / "coco/panoptic_val2017").symlink_to(real / "annotations/panoptic_val2017")
    for name in ("cocostuff171", "cocopanoptic"):
        build_benchmark(name, str(root), tmp_path)
    stuff = load_eval_set(tmp_path / "sets/cocostuff171.json")
    panoptic = load_eval_set(tmp_path / "sets/cocopanoptic.json")
    assert stuff.classes[:80] == panoptic.classes[:80]
    places = {image.image_id: index for index, image in enumerate(stuff.images)}
    agree = total = 0
    for index, image in enumerate(panoptic.images):
        ours, theirs = mapped(panoptic, index), mapped(stuff, places[image.image_id])
        things = (ours < 80) & (theirs < 80)
        agree, total = agree + (ours == theirs)[things].sum(), total + things.sum()
    assert len(panoptic.images) == 3 and total > 30_000
    assert agree / total > 0.95


def rewrite(root, change=lambda document: None, start=""):
    path = root / "coco/annotations/panoptic_val2017.json"
    document = json.loads(path.read_text())
    change(document)
    path.write_text(start + json.dumps(document), encoding="utf-8")


def segments(document):
    return document["annotations"][0]["segments_info"]


def as_text(document):
    for segment in segments(document):
        segment |= {key: str(value) for key, value in segment.items()}


def without_crowds(document):
    segments(document)[1]["category_id"] = 3
    for segment in segments(document):
        del segment["iscrowd"]


@pytest.mark.parametrize(
    "change, start",
    [
        (lambda document: None, "\ufeff"),
        (as_text, ""),
        (lambda d: segments(d)[0].update(iscrowd=None), ""),
        (lambda d: d["annotations"][0].update(file_name="panoptic\\000000000001.png"), ""),
    ],
)
def test_panoptic_json_as_tools_write_it(tmp_path, change, start):
    make_panoptic(tmp_path)
    assert build_benchmark("cocopanoptic", str(tmp_path), tmp_path / "before") == []
    rewrite(tmp_path, change, start)
    assert build_benchmark("cocopanoptic", str(tmp_path), tmp_path / "after") == []
    before, after = (
        mapped(load_eval_set(tmp_path / folder / "sets/cocopanoptic.json"), 0)
        for folder in ("before", "after")
    )
    assert np.array_equal(before, after)


def test_segments_without_iscrowd_are_none(tmp_path):
    make_panoptic(tmp_path)
    rewrite(tmp_path, without_crowds)
    assert build_benchmark("cocopanoptic", str(tmp_path), tmp_path / "out") == []
    eval_set = load_eval_set(tmp_path / "out/sets/cocopanoptic.json")
    assert eval_set.classes[mapped(eval_set, 0)[2, 0]] == "car"


@pytest.mark.parametrize(
    "change, reason",
    [
        (lambda entry: entry.pop("file_name"), "wrong entry"),
        (lambda entry: entry.update(segments_info=None), "wrong entry"),
        (lambda entry: entry["segments_info"][0].pop("id"), "wrong entry"),
        (lambda entry: entry["segments_info"][0].update(id=10**30), "wrong entry"),
        (lambda entry: entry["segments_info"].append("segment"), "wrong entry"),
        (lambda entry: entry["segments_info"][0].update(category_id=12), "unknown category"),
        (lambda entry: entry["segments_info"][0].update(id=0), "segment of id 0"),
        (lambda entry: entry["segments_info"][0].update(id=5), "two segments of one id"),
        (lambda entry: entry.update(file_name="000000000002.png"), "two entries of one picture"),
    ],
)
def test_a_wrong_panoptic_entry_is_left_out_by_name_and_the_rest_is_used(tmp_path, change, reason):
    make_panoptic(tmp_path)
    for folder, ending in (("val2017", "jpg"), ("annotations/panoptic_val2017", "png")):
        one = tmp_path / "coco" / folder / f"000000000001.{ending}"
        one.with_name(f"000000000002.{ending}").write_bytes(one.read_bytes())

    def both(document):
        other = json.loads(json.dumps(document["annotations"][0]))
        document["annotations"].insert(0, other | {"file_name": "000000000002.png"})
        change(document["annotations"][1])

    rewrite(tmp_path, both)
    rejects = build_benchmark("cocopanoptic", str(tmp_path), tmp_path / "out")
    assert [(r.item, r.reason) for r in rejects] == [
        ('panoptic_val2017.json "annotations"[1]', reason),
        ("coco/val2017/000000000001.jpg", "no label map"),
    ]
    eval_set = load_eval_set(tmp_path / "out/sets/cocopanoptic.json")
    assert [image.image_id for image in eval_set.images] == ["000000000002"]


def test_panoptic_categories_that_are_not_cocos_are_an_error(tmp_path):
    """Ids of another list would be read as COCO's classes."""
    make_panoptic(tmp_path)
    rewrite(tmp_path, lambda document: document.update(categories=[{"id": 18, "name": "zebra"}]))
    with pytest.raises(ValueError, match="category 18 is 'zebra' there and 'dog' in COCO"):
        build_benchmark("cocopanoptic", str(tmp_path), tmp_path / "out")
