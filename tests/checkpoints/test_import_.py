"""Checkpoints of others, small: what is taken, what is left over, what is missing."""

import argparse
import json
import math
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import save_file

from pipeline.checkpoints.export import original_layout
from pipeline.checkpoints.import_ import Imported, import_checkpoint
from pipeline.checkpoints.layout import CLIP, FIXED_CLASSES
from pipeline.clip.sources import config_of_weights
from pipeline.clip.store import PROMPT_KEY, build_from_config
from pipeline.core.errors import UserError
from pipeline.maskformer.maskformer import MaskFormer
from pipeline.ovseg import OVSeg
from pipeline.weights.read import read_tensors
from tests.checkpoints.released import plain_maskformer
from tests.ovseg.tiny import look
from tests.segmenter.tiny import config, resnet

OPENAI = {  # OpenAI's architecture, small: heads of 64
    "embed_dim": 16,
    "quick_gelu": True,
    "vision_cfg": {"image_size": 16, "patch_size": 8, "width": 64, "layers": 2},
    "text_cfg": {
        "context_length": 16, "vocab_size": 49408, "width": 64, "heads": 1, "layers": 1,
    },
}  # fmt: skip
IMAGE = np.random.default_rng(0).integers(0, 256, (40, 50, 3), dtype=np.uint8)


@pytest.fixture(scope="module")
def clip():
    torch.manual_seed(0)
    made = build_from_config(OPENAI)
    made.deepen_prompts(2)
    return made.eval()


@pytest.fixture(scope="module")
def segmenter() -> MaskFormer:
    torch.manual_seed(0)
    backbone = resnet(depth=50, stem="deeplab", res5_multi_grid=(1, 2, 4), norm="FrozenBN")
    return MaskFormer(config(heads=8, dropout=0.1, backbone=backbone)).eval()


@pytest.fixture(scope="module")
def imported(segmenter):
    """Imports a file whose segmenter has the architecture of `segmenter`."""

    def imported(path: Path, **options) -> Imported:
        file = read_tensors(path)
        return import_checkpoint(file, path, architecture=segmenter.config, **options)

    return imported


def all_accounted(file: dict, result: Imported) -> bool:
    return {*result.used, *result.left_over} == set(file) and not set(result.used) & {
        *result.left_over
    }


def test_a_released_checkpoint_runs_as_it_is(tmp_path, imported, segmenter, clip):
    state = original_layout(segmenter, clip, classes=171)
    torch.save({"model": state, "iteration": 9, "optimizer": {}}, tmp_path / "released.pth")
    result = imported(tmp_path / "released.pth")
    assert result.left_over.keys() == {"iteration", "optimizer", "criterion.empty_weight"}
    assert all_accounted(state | {"iteration": 9, "optimizer": {}}, result) and not result.filled
    ours, theirs = OVSeg(result.segmenter, result.clip), OVSeg(segmenter, clip)
    for mode in ("ensemble", "clip", "segmenter", "free-text"):
        names = ["cat", "dog"]
        assert torch.equal(ours.scores(IMAGE, names, mode), theirs.scores(IMAGE, names, mode))


@pytest.mark.parametrize("wrapper", ["", "module."])
@pytest.mark.parametrize("depth", [0, 2])
def test_a_mask_adapted_clip(tmp_path, imported, clip, wrapper, depth):
    state = dict(clip.clip.state_dict())
    if depth:
        state[PROMPT_KEY] = clip.prompts.detach()
    wrapped = {wrapper + key: value for key, value in state.items()}
    torch.save({"epoch": 5, "name": "x", "state_dict": wrapped}, tmp_path / "epoch_5.pt")
    result = imported(tmp_path / "epoch_5.pt")
    assert result.segmenter is None and result.clip.prompt_depth == depth
    assert result.left_over.keys() == {"epoch", "name"}
    assert all_accounted(state | {"epoch": 5, "name": "x"}, result)
    assert result.clip.model_cfg == OPENAI
    images, masks = torch.randn(3, 3, 16, 16), torch.rand(3, 16, 16) < 0.01
    plain = result.clip.encode_image(images)
    assert torch.equal(plain, clip.encode_image(images))
    shown = clip.encode_image(images, masks) if depth else plain
    assert torch.equal(result.clip.encode_image(images, masks), shown)


def test_a_clip_of_another_name(tmp_path, imported, clip, monkeypatch):
    gelu = OPENAI | {"quick_gelu": False}
    monkeypatch.setattr("pipeline.checkpoints.import_.model_config", {"tiny": gelu}.get)
    save_file(clip.clip.state_dict(), tmp_path / "clip.safetensors")
    result = imported(tmp_path / "clip.safetensors", clip_name="tiny")
    assert result.clip.model_cfg == gelu and not result.notes
    assert imported(tmp_path / "clip.safetensors").notes[0].startswith("CLIP read off its weights")


def test_prompts_from_a_file_of_their_own(tmp_path, imported, clip):
    save_file(clip.clip.state_dict(), tmp_path / "clip.safetensors")
    result = imported(tmp_path / "clip.safetensors", prompts=clip.prompts.detach())
    assert torch.equal(result.clip.prompts, clip.prompts)


@pytest.mark.parametrize("layout", ["first", "later"])
def test_a_plain_maskformer_gives_masks_and_no_names(tmp_path, imported, segmenter, clip, layout):
    state = plain_maskformer(original_layout(segmenter, clip, classes=150))
    if layout == "later":
        state = {
            k if k.startswith(("backbone.", "sem_seg_head.predictor.", "criterion."))
            else k.replace("sem_seg_head.", "sem_seg_head.pixel_decoder."): v
            for k, v in state.items()
        }  # fmt: skip
    torch.save({"model": state}, tmp_path / "maskformer.pth")
    with pytest.raises(ValueError, match="name the width of the CLIP"):
        imported(tmp_path / "maskformer.pth")
    extra = {"sem_seg_head.extra.weight": torch.ones(1)}
    torch.save({"model": state | extra}, tmp_path / "maskformer.pth")
    result = imported(tmp_path / "maskformer.pth", clip_dim=16)
    assert result.left_over.pop(*extra) == "no such weight in this architecture"
    assert result.clip is None and result.left_over.keys() == {
        *FIXED_CLASSES, "criterion.empty_weight"
    }  # fmt: skip
    assert all_accounted(state, result) and "its 150 classes are a fixed layer" in result.notes[0]
    assert sorted(result.filled) == [
        "clip_adapter.non_object_embedding",
        *(f"sem_seg_head.predictor.class_embed.layers.{i}.{p}" for i in (0, 1)
          for p in ("bias", "weight")),
    ]  # fmt: skip
    ours, theirs = OVSeg(result.segmenter, clip), OVSeg(segmenter, clip)
    seen, expected = look(ours, IMAGE, ["cat", "dog"]), look(theirs, IMAGE, ["cat", "dog"])
    assert torch.equal(seen.masks, expected.masks)
    assert torch.equal(seen.clip, expected.clip)
    assert torch.equal(seen.segmenter, torch.full_like(seen.segmenter, 1 / 3))
    free = [model.segment(IMAGE, ["cat", "dog"]).labels for model in (ours, theirs)]
    assert (free[0] == free[1]).all()


def test_every_key_is_named(tmp_path, imported, segmenter, clip):
    state = original_layout(segmenter, clip, classes=3)
    odd = state | {"ema.rate": torch.ones(1), CLIP + "visual.extra": torch.ones(2)}
    torch.save({"model": odd}, tmp_path / "odd.pth")
    left = imported(tmp_path / "odd.pth").left_over
    assert left["ema.rate"] == "belongs to no part of this model"
    assert left[CLIP + "visual.extra"] == "no such weight in this architecture"

    gone = ["sem_seg_head.pixel_decoder.layer_1.weight", "backbone.res2.0.conv1.weight"]
    torch.save({k: v for k, v in state.items() if k not in gone}, tmp_path / "gone.pth")
    with pytest.raises(ValueError, match="1 missing: sem_seg_head.pixel_decoder.layer_1.weight"):
        torch.save({k: v for k, v in state.items() if k != gone[0]}, tmp_path / "gone.pth")
        imported(tmp_path / "gone.pth")
    lost = [CLIP + "ln_final.weight", CLIP + "visual.ln_post.bias"]
    torch.save({k: v for k, v in state.items() if k not in lost}, tmp_path / "gone.pth")
    with pytest.raises(ValueError, match="2 missing: visual.ln_post.bias, ln_final.weight"):
        imported(tmp_path / "gone.pth")
    torch.save(state | {CLIP + "ln_final.bias": torch.ones(3)}, tmp_path / "shape.pth")
    with pytest.raises(ValueError, match=r"ln_final.bias is \(3,\) where \(64,\) is expected"):
        imported(tmp_path / "shape.pth")


def test_what_is_no_checkpoint_is_refused(tmp_path, imported):
    torch.save({"model": {"fc.weight": torch.ones(2)}}, tmp_path / "other.pth")
    with pytest.raises(ValueError, match="neither visual.conv1.weight.*but fc.weight"):
        imported(tmp_path / "other.pth")
    torch.save({"epoch": 1}, tmp_path / "empty.pth")
    with pytest.raises(ValueError, match="holds no tensors"):
        imported(tmp_path / "empty.pth")
    with pytest.raises(FileNotFoundError, match="no such file, expected weights"):
        imported(tmp_path / "none.pth")
    (tmp_path / "text.pth").write_text("hello")
    with pytest.raises(ValueError, match="not weights that can be read safely"):
        imported(tmp_path / "text.pth")


def test_no_single_missing_weight_makes_another_clip(clip):
    """Each key in turn: the architecture stays, so that loading misses it by name."""
    weights = clip.clip.state_dict()
    for key in weights:
        try:
            assert config_of_weights({k: v for k, v in weights.items() if k != key}, "x") == OPENAI
        except ValueError as error:
            assert f"no {key} in it" in str(error)


@pytest.mark.parametrize("gone", ["sem_seg_head.predictor.input_proj.weight", CLIP + "visual.proj"])
def test_a_missing_weight_is_named_as_the_file_would(tmp_path, imported, segmenter, clip, gone):
    state = original_layout(segmenter, clip, classes=3)
    del state[gone]
    torch.save({"model": state}, tmp_path / "gone.pth")
    with pytest.raises(ValueError, match=f"{gone.removeprefix(CLIP)}"):
        imported(tmp_path / "gone.pth")


def test_what_is_taken_instead_of_a_missing_constant_is_said(tmp_path, imported, segmenter, clip):
    state = original_layout(segmenter, clip, classes=3)
    gone = ["clip_adapter.pixel_mean", "clip_adapter.pixel_std", CLIP + PROMPT_KEY]
    torch.save({"model": {k: v for k, v in state.items() if k not in gone}}, tmp_path / "gone.pth")
    result = imported(tmp_path / "gone.pth")
    assert result.filled == {
        gone[0]: "OpenAI's mean of colours",
        gone[1]: "OpenAI's std of colours",
        gone[2]: "no mask prompts",
    }
    torch.save({"model": state}, tmp_path / "whole.pth")
    result = imported(tmp_path / "whole.pth", prompts=torch.zeros_like(clip.prompts))
    assert result.left_over[gone[2]] == "replaced by the mask prompts given (--prompts)"
    assert all_accounted(state, result)


@pytest.mark.parametrize(
    "gone",
    [
        ["sem_seg_head.predictor.query_embed.weight", "backbone.res5.0.conv1.weight",
         "sem_seg_head.predictor.transformer.decoder.norm.weight"],
        ["backbone.stem.conv3.weight", "sem_seg_head.pixel_decoder.layer_1.weight"],
        [CLIP + "visual.proj", CLIP + "text_projection", CLIP + "ln_final.weight"],
        [CLIP + "positional_embedding", CLIP + "transformer.resblocks.0.ln_1.bias"],
        [CLIP + "visual.conv1.weight", CLIP + "visual.proj"],
        ["backbone.res4.0.conv1.weight", CLIP + "visual.conv1.weight"],
    ],
)  # fmt: skip
def test_all_missing_weights_are_named_also_those_the_architecture_is_told_by(
    tmp_path, imported, segmenter, clip, gone
):
    state = original_layout(segmenter, clip, classes=3)
    torch.save({"model": {k: v for k, v in state.items() if k not in gone}}, tmp_path / "gone.pth")
    with pytest.raises(ValueError) as refused:
        imported(tmp_path / "gone.pth")
    for key in gone:
        assert key.removeprefix(CLIP) in str(refused.value)
    kept = [name for key in state if key not in gone for name in (key, key.removeprefix(CLIP))]
    named = str(refused.value).replace(",", " ").split()
    assert not set(named) & set(kept)


def test_prompts_and_colours_that_are_none_are_refused(tmp_path, imported, segmenter, clip):
    clip.deepen_prompts(1)
    state = original_layout(segmenter, clip, classes=3)
    prompts, mean, std = CLIP + PROMPT_KEY, "clip_adapter.pixel_mean", "clip_adapter.pixel_std"
    nan, large = (
        torch.full_like(state[prompts], torch.nan),
        torch.full((64,), 1e300, dtype=torch.float64),
    )
    for key, value, words in (
        (prompts, nan, "mask prompts hold NaN"),
        (std, torch.zeros(1, 3, 1, 1), r"the std of colours is \[0.0, 0.0, 0.0\]: .* above 0"),
        (std, torch.full((1, 3, 1, 1), torch.nan), "the std of colours is .nan"),
        (std, torch.ones(1), r"pixel_std is \(1,\) where \(1, 3, 1, 1\) is expected"),
        (CLIP + "ln_final.weight", large, "NaN or infinite numbers: "),
    ):
        torch.save({"model": state | {key: value}}, tmp_path / "odd.pth")
        with pytest.raises(ValueError, match=f"odd.pth: .*{words}"):
            imported(tmp_path / "odd.pth")
    torch.save({"model": state | {mean: state[mean].flatten()}}, tmp_path / "flat.pth")
    assert torch.equal(imported(tmp_path / "flat.pth").clip.mean, clip.mean)


def test_a_second_container_is_left_over_and_wrapping_is_said(tmp_path, imported, segmenter, clip):
    state = original_layout(segmenter, clip, classes=3)
    wrapped = {f"module.{key}": value for key, value in state.items()}
    torch.save({"model": wrapped, "state_dict": {"lost": torch.ones(1)}}, tmp_path / "two.pth")
    result = imported(tmp_path / "two.pth")
    assert result.left_over["state_dict"] == "not a weight"
    assert any("without the module." in note for note in result.notes)


def test_parts_of_two_models_and_broken_numbers_are_refused(tmp_path, imported, segmenter, clip):
    state = original_layout(segmenter, build_from_config(OPENAI | {"embed_dim": 24}), classes=3)
    torch.save({"model": state}, tmp_path / "mixed.pth")
    with pytest.raises(ValueError, match="text features of width 16, its CLIP's have 24"):
        imported(tmp_path / "mixed.pth")
    state = original_layout(segmenter, clip, classes=3)
    state["backbone.res2.0.conv1.weight"] = torch.full_like(
        state["backbone.res2.0.conv1.weight"], torch.nan
    )
    torch.save({"model": state}, tmp_path / "nan.pth")
    with pytest.raises(ValueError, match="NaN or infinite numbers: backbone.res2.0.conv1.weight"):
        imported(tmp_path / "nan.pth")
    with pytest.raises(ValueError, match="is for a CLIP of width 16, not 512"):
        imported(tmp_path / "mixed.pth", clip_dim=512)


@pytest.mark.parametrize("about", [{"model_cfg": {"x": 1}}, {"model_cfg": None}, {"mean": 1}])
def test_a_description_that_is_none_is_refused(tmp_path, imported, clip, about):
    file = tmp_path / "clip.safetensors"
    save_file(clip.clip.state_dict(), file, {"ovseg": json.dumps({"clip": about})})
    with pytest.raises(ValueError, match="clip.safetensors: describes no CLIP that can be built"):
        imported(file)


@pytest.mark.parametrize(
    "kind",
    ["module._orig_mod.", "model.", "clip.", "student.clip.", "float16", "bfloat16", "float64",
     "logit_scale", "the factor itself", "[0]", "namespace", "module", "params", "whole"],
)  # fmt: skip
def test_a_clip_as_people_have_it_equals_the_plain_file(tmp_path, imported, clip, kind):
    state = dict(clip.clip.state_dict())
    expected, content = state, {"state_dict": state}
    if kind.endswith("."):
        content = {"state_dict": {kind + key: value for key, value in state.items()}}
        content["state_dict"]["loss.rate"] = torch.ones(2)
    elif hasattr(torch, kind) and isinstance(getattr(torch, kind), torch.dtype):
        stored = {key: value.to(getattr(torch, kind)) for key, value in state.items()}
        expected, content = {key: v.float() for key, v in stored.items()}, {"model": stored}
    elif kind == "logit_scale":
        content = {"model": state | {"logit_scale": state["logit_scale"][None]}}
    elif kind == "the factor itself":
        expected = state | {"logit_scale": torch.tensor(math.log(100))}
        content = {"model": state | {"logit_scale": torch.tensor(100.0)}}
    elif kind == "[0]":
        content = (state, 3)
    elif kind == "namespace":
        content["args"] = argparse.Namespace(lr=np.float64(1e-4), out=Path("/x"))
    elif kind == "whole":
        content = clip.clip
    else:
        content = {kind: state, "epoch": 3}
    torch.save(content, tmp_path / "clip.pt")
    result = imported(tmp_path / "clip.pt")
    found = result.clip.clip.state_dict()
    assert list(found) == list(expected)
    assert all(torch.equal(found[key], value) for key, value in expected.items())
    words = {"namespace": "argparse.Namespace", "whole": "a whole open_clip"}.get(kind, kind)
    assert any(words in note for note in result.notes), result.notes
    if kind.endswith("."):
        assert "loss.rate" in result.left_over


@pytest.mark.parametrize("kind", ["int8", "uint8", "int32", "bool", "float8_e4m3fn", "complex64"])
@pytest.mark.parametrize("safe", [False, True])
def test_numbers_that_are_no_plain_floats_are_refused(tmp_path, imported, clip, kind, safe):
    state = dict(clip.clip.state_dict())
    state["visual.proj"] = (state["visual.proj"] * 100).to(getattr(torch, kind))
    path = tmp_path / "clip.pt"
    save_file(state, path) if safe else torch.save(state, path)
    with pytest.raises(UserError, match=f"clip.pt: CLIP: .* no plain floats but {kind}.*l.proj"):
        imported(path)


def test_a_scale_that_no_clip_has_is_refused(tmp_path, imported, clip):
    state = clip.clip.state_dict() | {"logit_scale": torch.tensor(1e9)}
    torch.save(state, tmp_path / "clip.pt")
    with pytest.raises(UserError, match="clip.pt: CLIP: logit_scale is 1e[+]09; expected the log"):
        imported(tmp_path / "clip.pt")


def test_a_whole_model_under_a_prefix_and_two_of_them(tmp_path, imported, segmenter, clip):
    state = original_layout(segmenter, clip, classes=3)
    one = {f"student.{key}": value for key, value in state.items()}
    torch.save({"model": one | {"iterations": torch.ones(1)}}, tmp_path / "one.pth")
    result = imported(tmp_path / "one.pth")
    assert result.left_over["iterations"] == "not under student., where the model is"
    assert "keys are named without the student. in front of the model" in result.notes
    plain, found = segmenter.state_dict(), result.segmenter.state_dict()
    assert all(torch.equal(found[key], value) for key, value in plain.items())
    two = one | {f"teacher.{key}": value for key, value in state.items()}
    torch.save({"model": two}, tmp_path / "two.pth")
    with pytest.raises(UserError, match="two.pth: holds several models, under student., teacher."):
        imported(tmp_path / "two.pth")


@pytest.mark.parametrize("number", ["9999999999", "300", "x", "-1", "１"])
def test_a_key_makes_no_tower_of_any_height(tmp_path, imported, clip, number):
    odd = {f"visual.transformer.resblocks.{number}.ln_1.bias": torch.ones(64)}
    torch.save({"model": clip.clip.state_dict() | odd}, tmp_path / "odd.pth")
    try:
        assert next(iter(odd)) in imported(tmp_path / "odd.pth").left_over
    except UserError as error:
        assert number == "300" and "resblocks.300 is no block of a CLIP" in str(error)
