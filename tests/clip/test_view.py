"""A model folder records how the model is to be used, and whoever loads it goes by that."""

import json
from pathlib import Path

import numpy as np
import pytest
import torch
import yaml
from PIL import Image
from safetensors.torch import save_file

from pipeline.clip.sources import MINIATURE, base_clip
from pipeline.clip.store import load_clip, save_clip
from pipeline.clip.templates import VILD_TEMPLATES
from pipeline.clip.text import class_features
from pipeline.clip.view import ClipView, RegionView, SegmenterView, from_json, to_json
from pipeline.commands.cli import main
from pipeline.core.errors import UserError
from pipeline.data.dataset import read_dataset
from pipeline.maskformer.store import load_segmenter, save_segmenter
from pipeline.ovseg import OVSeg
from pipeline.segmenter.fit import trained_classes
from pipeline.weights.read import read_tensors
from stages import finetune, segmenter
from tests import shipped
from tests.clip.tiny import write_pairs
from tests.ovseg.tiny import look, tiny_clip, tiny_segmenter
from tests.toy import make_toy

ROOT = Path(__file__).resolve().parents[2]
BARE = ("{}",)
IMAGE = np.random.default_rng(0).integers(0, 256, (40, 60, 3), dtype=np.uint8)
NAMES = ["cat", "dog", "grass"]
CLIP_VIEW = ClipView(fill="zero", expand=1.5, threshold=0.45, templates=BARE)
SEGMENTER_VIEW = SegmenterView(("the {}",), short_side=32, long_side=100)
ONE_STEP = {"steps": 1, "batch_size": 2, "crop": 48, "min_short_side": 48, "max_short_side": 48}


@pytest.fixture
def data(tmp_path):
    """A model folder whose records are unlike the defaults."""
    clip, segmenter = tiny_clip(prompt_depth=1), tiny_segmenter()
    clip.view, segmenter.view = CLIP_VIEW, SEGMENTER_VIEW
    save_clip(tmp_path / "data/finetune/second", clip, "x")
    save_segmenter(tmp_path / "data/segmenter", segmenter)
    return tmp_path / "data"


def asked_as_recorded(model: OVSeg) -> None:
    """`model` gives what one gives that is told all of CLIP_VIEW and SEGMENTER_VIEW."""
    assert (model.clip.view, model.segmenter.view) == (CLIP_VIEW, SEGMENTER_VIEW)
    told = {
        "view": RegionView(threshold=0.45, fill="zero", expand=1.5),
        "short_side": 32,
        "long_side": 100,
    }
    expected = {
        templates: OVSeg(model.segmenter, model.clip, templates=templates, **told)
        for templates in (CLIP_VIEW.templates, SEGMENTER_VIEW.templates)
    }
    seen = look(model, IMAGE, NAMES)
    bare, the = (look(expected[templates], IMAGE, NAMES) for templates in (BARE, ("the {}",)))
    torch.testing.assert_close(seen.clip, bare.clip, atol=1e-5, rtol=0)
    torch.testing.assert_close(seen.segmenter, the.segmenter, atol=1e-5, rtol=0)
    assert not torch.allclose(seen.clip, the.clip, atol=1e-3)
    assert not torch.allclose(seen.segmenter, bare.segmenter, atol=1e-3)


def test_a_loaded_model_is_used_as_its_folders_record(data):
    asked_as_recorded(OVSeg.load(data))


def test_what_is_said_replaces_what_is_recorded(data):
    model = OVSeg.load(data, threshold=0.3, short_side=0)
    assert model.view == RegionView(threshold=0.3, fill="zero", expand=1.5)
    assert (model.predictor.short_side, model.predictor.long_side) == (None, 100)
    assert OVSeg.load(data, view=RegionView(threshold=0.2)).view == RegionView(
        threshold=0.2, fill="mean", expand=1.0
    )
    vild = look(OVSeg.load(data, templates=VILD_TEMPLATES), IMAGE, NAMES)
    assert not torch.equal(vild.clip, look(OVSeg.load(data), IMAGE, NAMES).clip)


def test_export_and_import_keep_the_records(data, tmp_path):
    main(["export", str(tmp_path / "out"), "--model", str(data), "--classes", "2"])
    main(["import", str(tmp_path / "out/ovseg.pth"), "--out", str(tmp_path / "both")])
    asked_as_recorded(OVSeg.load(tmp_path / "both"))
    main(["import", str(tmp_path / "out/clip.safetensors"), "--out", str(tmp_path / "one")])
    assert load_clip(tmp_path / "one/finetune/second").view == CLIP_VIEW
    again = base_clip("checkpoint", None, None, str(tmp_path / "out/clip.safetensors"))
    assert again.view == CLIP_VIEW


def test_the_command_line_goes_by_the_records(data, tmp_path, monkeypatch):
    loaded = []
    load = OVSeg.load
    monkeypatch.setattr(OVSeg, "load", lambda *a, **k: loaded.append(load(*a, **k)) or loaded[-1])
    Image.fromarray(IMAGE).save(tmp_path / "a.png")
    command = ["segment", str(tmp_path / "a.png"), "--classes", "cat, dog", "--model", str(data)]
    main([*command, "--out", str(tmp_path)])
    main([*command, "--out", str(tmp_path), "--threshold", "0.2", "--long-side", "0"])
    asked_as_recorded(loaded[0])
    assert loaded[1].view == RegionView(threshold=0.2, fill="zero", expand=1.5)
    assert (loaded[1].predictor.short_side, loaded[1].predictor.long_side) == (32, None)


def params(folder: Path) -> Path:
    """The shipped parameters for the tiny models, unlike the defaults in what is recorded."""
    content = yaml.safe_load(shipped.PARAMS.read_text())
    architecture = tiny_segmenter().config.model_dump(mode="json")
    content["segmenter"] |= {"source": "train", "warm_start": None, "architecture": architecture}
    content["segmenter"]["training"] |= ONE_STEP | {"templates": "bare"}
    content["segmenter"]["measure"] |= {"short_side": 40, "long_side": 90}
    content["pairs"]["expand"] = 1.25
    content["finetune"]["first"] |= {"train": "weights", "fill": "zero", "templates": "bare"}
    content["finetune"]["second"] |= {"train": "nothing", "fill": "preserve", "templates": "vild"}
    for step in content["finetune"].values():
        step |= {"epochs": 1.0, "batch_size": 8}
    path = folder / "params.yaml"
    path.write_text(yaml.safe_dump(content))
    return path


def test_the_stages_record_how_they_trained(tmp_path):
    """A step that trains nothing leaves the record of the CLIP it got."""
    given, out = params(tmp_path), tmp_path / "data"
    make_toy(tmp_path / "dataset")
    pairs = write_pairs(tmp_path / "pairs", 20)
    base = tiny_clip()
    base.view = ClipView(threshold=0.45)  # which no training decides
    save_clip(out / "base_clip", base, "base")
    segmenter.main(
        tmp_path / "dataset", out / "base_clip", out / "segmenter", tmp_path / "s.json", given
    )
    before = out / "base_clip"
    for step in ("first", "second"):
        folder = out / "finetune" / step
        finetune.main(step, pairs, before, folder, tmp_path / f"{step}.json", given)
        before = folder
    model = OVSeg.load(out)
    assert model.clip.view == ClipView(fill="zero", expand=1.25, threshold=0.45)
    assert model.segmenter.view == SegmenterView(BARE, short_side=40, long_side=90)
    dataset = read_dataset(tmp_path / "dataset")
    _, names = trained_classes(dataset, "all")
    text = class_features(base, names, BARE)
    assert model.segmenter.trained.names == tuple(names)
    assert torch.equal(model.segmenter.trained.text_features, text)
    assert (model.view.fill, model.view.expand, model.predictor.short_side) == ("zero", 1.25, 40)
    assert load_clip(out / "base_clip").view == base.view


def test_without_a_record_the_papers_way_holds(data):
    for path in (data / "finetune/second/clip.json", data / "segmenter/segmenter.json"):
        content = json.loads(path.read_text())
        del content["view"]
        path.write_text(json.dumps(content))
    model = OVSeg.load(data)
    assert (model.view, model.predictor.short_side, model.predictor.long_side) == (
        RegionView(),
        None,
        None,
    )
    assert model.view == RegionView(threshold=0.4, fill="mean", expand=1.0)
    assert model.clip.view.templates == model.segmenter.view.templates == VILD_TEMPLATES
    assert load_clip(MINIATURE).view == ClipView()
    assert load_segmenter(ROOT / "pipeline/segmenter/miniature").view == SegmenterView()


@pytest.mark.parametrize("view", [ClipView(), CLIP_VIEW, SegmenterView(), SEGMENTER_VIEW])
def test_a_view_comes_back_from_json(view):
    text = json.dumps({"view": to_json(view)})
    assert from_json(type(view), json.loads(text), "a file") == view


@pytest.mark.parametrize(
    ("record", "words"),
    [
        (None, "view: "),
        ({"fill": "pink"}, 'view.fill = "pink": '),
        ({"expand": 0.5}, "view.expand = 0.5: "),
        ({"expand": float("nan")}, "view.expand = NaN: "),
        ({"threshold": 1.0}, "view.threshold = 1.0: "),
        ({"templates": []}, "view.templates: "),
        ({"templates": ["a photo"]}, 'view.templates[0] = "a photo": '),
        ({"glow": 3}, "view.glow = 3: "),
    ],
)
def test_a_wrong_record_is_named(data, record, words):
    path = data / "finetune/second/clip.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | {"view": record}))
    with pytest.raises(UserError) as caught:
        OVSeg.load(data)
    assert words in str(caught.value) and str(path) in str(caught.value)


def test_a_wrong_record_of_a_segmenter_is_named(data):
    path = data / "segmenter/segmenter.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | {"view": {"short_side": 0}}))
    with pytest.raises(UserError, match=r"segmenter.json: .*view.short_side"):
        load_segmenter(data / "segmenter")
    path.write_text("[]")
    with pytest.raises(UserError, match=r"segmenter.json: not a segmenter's architecture"):
        load_segmenter(data / "segmenter")


@pytest.mark.parametrize("about", ["words", ["segmenter"], {"segmenter": []}, {"clip": 3}])
def test_an_exported_file_with_an_odd_description_is_named(tmp_path, about):
    weights = {"a": torch.zeros(1)}
    torch.save({"model": weights, "ovseg": about}, tmp_path / "a.pth")
    save_file(weights, tmp_path / "a.safetensors", {"ovseg": json.dumps(about)})
    for name in ("a.pth", "a.safetensors"):
        with pytest.raises(UserError, match=f"{name}: its entry 'ovseg' describes no model"):
            read_tensors(tmp_path / name)
