"""The whole DAG on real files, stage by stage: COCO's captions to pairs to an adapted CLIP, judged
on ADE20K, VOC, PASCAL-Context, COCO-Stuff and COCO's panoptic segments at the paper's test size.

The segmenter is untrained and the CLIP the miniature one, so what is verified is the plumbing:
sizes, ids, pictures without colour or lying on their side, crowds. Needs the real samples (see
tests/data/folders.py).
"""

import csv
import io
import json
import tarfile
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from PIL import Image
from ruamel.yaml import YAML
from safetensors.torch import load_file

from pipeline.clip.sources import MINIATURE
from pipeline.core.records import NounRecord, PairRecord, ProposalRecord, read_parquet
from pipeline.data.dataset import read_dataset, read_split
from pipeline.data.rle import areas, to_rle
from pipeline.data.sets import load_eval_set, read_label
from pipeline.maskformer.maskformer import MaskFormer
from pipeline.params.presets import params_of
from stages import dataset, evaluate, finetune, nouns, pairs, proposals, segmenter
from tests.data.folders import samples
from tests.real_root import (
    CAPTIONED,
    CROWD,
    GRAY,
    LABELLED,
    PANOPTIC,
    TURNED,
    VAL,
    ade_pictures,
    make_root,
)

SETS = {
    "ade150": (3, 150), "ade847": (1, 847), "voc20": (1, 20), "pc59": (1, 59), "pc459": (1, 459),
    "cocostuff171": (3, 171), "cocopanoptic": (2, 133), "cocostuff156": (3, 171),
    "ade150-synonyms": (3, 150),
}  # fmt: skip
"""Pictures and classes of each evaluation set."""
COUNTED_WITH = {"ade150-synonyms": "ade150", "pc459": "pc59", "cocostuff156": "cocostuff171"}
"""Sets of the pictures of another, which are predicted once for both."""
ARCHITECTURE = {
    "backbone": {
        "kind": "resnet", "depth": 18, "stem": "basic", "stem_channels": 8, "res2_channels": 8,
        "res5_multi_grid": None,
    },
    "clip_dim": 128, "conv_dim": 32, "mask_dim": 16, "hidden_dim": 32, "heads": 2,
    "feedforward": 32, "decoder_layers": 1, "queries": 5, "class_hidden": 16,
}  # fmt: skip
SMALL = {
    "segmenter.training": {
        "steps": 2, "batch_size": 2, "warmup_steps": 1, "crop": 96, "min_short_side": 96,
        "max_short_side": 160, "long_side": 640, "bfloat16": True,
    },
    "segmenter.measure": {"short_side": 160},
    "pairs": {"captions_per_image": 5},
    "finetune.first": {"epochs": 1.0, "batch_size": 16, "warmup_steps": 1},
    "finetune.second": {"epochs": 1.0, "batch_size": 16, "warmup_steps": 1},
    "evaluate.common": {"overlays": 1, "sweep_weights": [0.5]},
}  # fmt: skip


def small_params(path: Path, root: Path) -> Path:
    """The best preset of the paper, with small models, few steps and the sets that are there."""
    params = YAML(typ="safe", pure=True).load(params_of("coco-swinb-vitl14"))
    params["dataset"] |= {"root": str(root), "sets": list(SETS)}
    params["segmenter"] |= {"architecture": ARCHITECTURE, "warm_start": None}
    params["evaluate"]["sets"] = {name: {"templates": "bare"} for name in SETS}
    for place, values in SMALL.items():
        section = params
        for key in place.split("."):
            section = section[key]
        section |= values
    YAML(typ="safe", pure=True).dump(params, path)
    return path


@pytest.fixture(scope="module")
def run(tmp_path_factory) -> SimpleNamespace:
    """All stages run once: `data` is what DVC's data/ would be, `seen` the sizes (h, w) of the
    pictures that the segmenter saw after its training."""
    folder = tmp_path_factory.mktemp("real")
    root = make_root(samples(), folder / "root")
    params = small_params(folder / "params.yaml", root)
    data, seen, embed = folder / "data", [], MaskFormer.embed

    def recording(self, images):
        seen.extend(tuple(image.shape[1:]) for image in images)
        return embed(self, images)

    def stage(module, name: str, **flags: Path | str) -> None:
        module.main(
            out=data / name, metrics=data / "metrics" / f"{name.replace('/', '-')}.json",
            params=params, **flags,
        )  # fmt: skip

    made = {name: data / name for name in ("dataset", "segmenter", "proposals", "nouns", "pairs")}
    steps = {"first": MINIATURE, "second": data / "finetune/first"}
    stage(dataset, "dataset")
    saved = {"checkpoints": data / "checkpoints"}
    stage(segmenter, "segmenter", dataset=made["dataset"], clip=MINIATURE, **saved)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(MaskFormer, "embed", recording)
        stage(
            proposals, "proposals", dataset=made["dataset"], segmenter=made["segmenter"],
        )  # fmt: skip
        stage(nouns, "nouns", dataset=made["dataset"])
        inputs = {name: made[name] for name in ("dataset", "proposals", "nouns")}
        stage(pairs, "pairs", clip=MINIATURE, **inputs)
        for step, clip in steps.items():
            inputs = {"step": step, "pairs": made["pairs"], "clip": clip}
            stage(finetune, f"finetune/{step}", **inputs, **saved)
        for name in SETS:
            stage(
                evaluate, f"evaluate/{name}", set=name, dataset=made["dataset"],
                segmenter=made["segmenter"], base=MINIATURE, first=data / "finetune/first",
                second=data / "finetune/second", counts=data / "counts",
            )  # fmt: skip
    return SimpleNamespace(data=data, root=root, seen=seen)


def metrics(run, stage: str) -> dict:
    return json.loads((run.data / "metrics" / f"{stage}.json").read_text())


def records(run, stage: str, kind: type) -> list:
    paths = sorted((run.data / stage).glob(f"{stage}-*.parquet"))
    return [record for path in paths for record in read_parquet(path, kind)]


@pytest.mark.parametrize("name", ["pc59", "pc459"])
def test_ids_of_pascal_context_become_their_names(run, name):
    """Ids above 255 too, which no 8-bit label map holds."""
    eval_set = load_eval_set(run.data / "dataset" / "sets" / f"{name}.json")
    [picture] = eval_set.images
    truth = read_label(
        eval_set.root / picture.label_path, eval_set.label_map, eval_set.ignore_label
    )
    assert (truth[:2] == eval_set.ignore_label).all()
    named = {eval_set.classes[i] for i in np.unique(truth[2:])}
    assert named == {"sky", "road", "aeroplane"}
    assert eval_set.classes[truth[2, 0]] == "sky" and eval_set.classes[truth[-1, 0]] == "road"


def test_every_picture_is_indexed_or_its_lack_is_told(run):
    found = metrics(run, "dataset")
    captioned, labelled = len(CAPTIONED) + 2, len(LABELLED) + 1
    assert found["train"] == {"pictures": 7, "captions": 5 * captioned, "label_maps": labelled}
    assert found["val"]["pictures"] == len({*VAL, *PANOPTIC})
    assert found["val"]["label_maps"] == len(VAL)
    unlabelled = len(CAPTIONED) + 1 + 3 * len(PANOPTIC[1:])  # the latter also in cocostuff171, 156
    unlabelled += len(VAL[1:])  # in cocopanoptic
    assert found["rejects"] == {"no caption": len(LABELLED), "no label map": unlabelled}
    assert found["sets"] == {name: pictures for name, (pictures, _) in SETS.items()}


def test_label_maps_hold_class_ids_of_the_closed_set(run):
    about = read_dataset(run.data / "dataset")
    labels = [about.read_label(r) for r in read_split(run.data / "dataset", "train")]
    values = {int(v) for label in labels if label is not None for v in np.unique(label)}
    assert values <= {*range(171), 255} and len(values) > 10
    for name, (_, classes) in SETS.items():
        eval_set = load_eval_set(run.data / "dataset/sets" / f"{name}.json")
        for image in eval_set.images:
            ignore = eval_set.ignore_label
            label = read_label(eval_set.root / image.label_path, eval_set.label_map, ignore)
            assert label.shape == (image.height, image.width)
            assert set(np.unique(label)) <= {*range(classes), ignore}


def test_panoptic_segments_are_a_label_map_without_crowds(run):
    eval_set = load_eval_set(run.data / "dataset/sets/cocopanoptic.json")
    folder = run.root / "coco/annotations"
    about = json.loads((folder / "panoptic_val2017.json").read_text())
    names = {category["id"]: category["name"] for category in about["categories"]}
    crowds = 0
    for image, entry in zip(eval_set.images, about["annotations"], strict=True):
        label = read_label(eval_set.root / image.label_path, eval_set.label_map)
        rgb = np.array(Image.open(folder / "panoptic_val2017" / entry["file_name"])).astype(int)
        segments = rgb @ [1, 256, 65536]
        for segment in entry["segments_info"]:
            [found] = np.unique(label[segments == segment["id"]])
            name = None if found == 255 else eval_set.classes[found]
            assert name == (None if segment["iscrowd"] else names[segment["category_id"]])
            crowds += segment["iscrowd"]
    assert crowds > 0


def test_pictures_lying_on_their_side_are_seen_upright(run):
    stored = Image.open(run.root / f"coco/train2017/{TURNED:012d}.jpg")
    upright = np.array(Image.open(samples() / f"coco/train2017/{TURNED:012d}.jpg")).astype(int)
    assert stored.size == upright.shape[:2] and stored.width != stored.height
    found = {p.key: p for p in read_parquet(run.data / "pairs/index.parquet", PairRecord)}
    mine = {key: pair for key, pair in found.items() if pair.image_id == TURNED}
    assert len(mine) > 3
    for path in (run.data / "pairs").glob("*.tar"):
        with tarfile.open(path) as tar:
            for key in mine.keys() & {name.partition(".")[0] for name in tar.getnames()}:
                crop = np.array(Image.open(tar.extractfile(f"{key}.jpg"))).astype(int)
                x1, y1, x2, y2 = mine.pop(key).box_xyxy
                assert np.abs(crop - upright[y1:y2, x1:x2]).mean() < 8  # twice JPEG
    assert not mine
    [entry, *_] = load_eval_set(run.data / "dataset/sets/ade150.json").images
    with Image.open(ade_pictures(samples())[0]) as original:
        assert (entry.width, entry.height) == original.size


def test_the_segmenter_learned_and_crowds_are_no_objects(run):
    found = metrics(run, "segmenter")
    assert found["rejected"] == 0 and np.isfinite(list(found["losses"].values())).all()
    content = json.loads((run.root / "coco/annotations/instances_val2017.json").read_text())
    assert any(entry["iscrowd"] for entry in content["annotations"])
    things = {(e["image_id"], e["category_id"]) for e in content["annotations"] if not e["iscrowd"]}
    assert found["objects_closed"] == len(things)


def test_proposals_have_their_pictures_sizes(run):
    sizes = {r.image_id: (r.height, r.width) for r in read_split(run.data / "dataset", "train")}
    found = records(run, "proposals", ProposalRecord)
    assert {proposal.image_id for proposal in found} == {*CAPTIONED, GRAY, CROWD}
    for proposal in found:
        assert (proposal.height, proposal.width) == sizes[proposal.image_id]
        rle = to_rle(proposal)
        assert areas([rle])[0] > 0


def test_pictures_are_seen_at_the_papers_test_size(run):
    predicted = sum(n for name, (n, _) in SETS.items() if name not in COUNTED_WITH)
    pictures = len(CAPTIONED) + 2 + predicted + len(SETS)  # and overlays
    assert len(run.seen) == pictures
    assert {min(size) for size in run.seen} == {640}
    assert max(max(size) for size in run.seen) <= 2560


def test_every_noun_of_a_picture_gets_a_mask_of_its_picture(run):
    named = {(n.image_id, n.noun) for n in records(run, "nouns", NounRecord)}
    index = read_parquet(run.data / "pairs/index.parquet", PairRecord)
    assert len(named) > 20 and {image for image, _ in named} == {*CAPTIONED, GRAY, CROWD}
    assert {(p.image_id, p.noun) for p in index} == named
    places = {(p.image_id, p.query) for p in records(run, "proposals", ProposalRecord)}
    assert {(pair.image_id, pair.query) for pair in index} <= places


def test_pairs_hold_crops_in_colour_with_masks_of_their_size(run):
    index = {p.key: p for p in read_parquet(run.data / "pairs/index.parquet", PairRecord)}
    keys = set()
    for path in (run.data / "pairs").glob("*.tar"):
        with tarfile.open(path) as tar:
            files = {m.name: tar.extractfile(m).read() for m in tar.getmembers()}
        for key in {name.partition(".")[0] for name in files}:
            keys.add(key)
            crop = np.array(Image.open(io.BytesIO(files[f"{key}.jpg"])))
            mask = np.array(Image.open(io.BytesIO(files[f"{key}.mask.png"])))
            x1, y1, x2, y2 = index[key].box_xyxy
            assert crop.shape == (y2 - y1, x2 - x1, 3) and mask.shape == crop.shape[:2]
            assert (mask > 0).sum() == index[key].area
            assert files[f"{key}.txt"].decode() == index[key].noun
            if index[key].image_id == GRAY:
                assert (crop[..., :1] == crop).all()
    assert keys == set(index) and any(pair.image_id == GRAY for pair in index.values())


def test_both_steps_trained_what_they_should(run):
    base = load_file(MINIATURE / "clip.safetensors")
    first, second = (
        load_file(run.data / f"finetune/{s}/clip.safetensors") for s in ("first", "second")
    )
    moved = {key for key in base if not (base[key].float() == first[key].float()).all()}
    assert moved and all(key.startswith("visual.") for key in moved)
    assert all((first[key] == second[key]).all() for key in first)
    prompts = load_file(run.data / "finetune/second/prompts.safetensors")["visual.mask_embedding"]
    assert tuple(prompts.shape) == (3, 36, 192)


@pytest.mark.parametrize("name", SETS)
def test_every_benchmark_is_judged_by_every_branch(run, name):
    found = metrics(run, f"evaluate-{name}")
    pictures, classes = SETS[name]
    about = found["set"]
    assert (about["images"], about["classes"], about["rejected"]) == (pictures, classes, {})
    assert 1 <= about["classes_in_truth"] <= classes
    for clip in ("base", "first", "second"):
        for branch in ("clip", "ensemble", "oracle_masks"):
            assert 0 <= found[clip][branch]["miou_legacy"] <= 100
    assert found["oracle_names"]["pixel_accuracy"] >= found["segmenter"]["pixel_accuracy"]
    with open(run.data / "evaluate" / name / "classes.csv", newline="") as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == classes
    assert sum(int(row["pixels"]) > 0 for row in rows) == about["classes_in_truth"]
    [sheet] = (run.data / "evaluate" / name / "overlays").iterdir()
    assert Image.open(sheet).size[0] > 640


def test_seen_and_unseen_classes_are_told_apart(run):
    """COCO-Stuff's 156 and 15, on real pictures that show both."""
    found, other = metrics(run, "evaluate-cocostuff156"), metrics(run, "evaluate-cocostuff171")
    for branch in ("clip", "ensemble"):
        for part in ("seen", "unseen"):
            assert found["first"][branch][f"miou_{part}_legacy"] is not None
        assert found["first"][branch]["hiou_legacy"] is not None
        assert found["first"][branch]["miou_legacy"] == other["first"][branch]["miou_legacy"]
        assert other["first"][branch].get("hiou_legacy") is None
