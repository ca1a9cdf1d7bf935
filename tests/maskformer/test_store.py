"""Segmenters on disk."""

import json
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file

from pipeline.clip.store import load_clip, save_clip
from pipeline.core.errors import MissingFileError, UserError
from pipeline.core.files import atomic
from pipeline.maskformer.maskformer import MaskFormer
from pipeline.maskformer.store import load_segmenter, save_segmenter
from pipeline.maskformer.trained_classes import TrainedClasses
from tests.clip.tiny import tiny_clip
from tests.segmenter.tiny import config, swin


def same(a: MaskFormer, b: MaskFormer) -> bool:
    left, right = a.state_dict(), b.state_dict()
    return left.keys() == right.keys() and all(torch.equal(left[k], right[k]) for k in left)


@pytest.mark.parametrize(
    "changes", ({}, {"backbone": swin()}, {"query_kind": "anchored", "queries": 4})
)
def test_a_segmenter_comes_back_as_it_was(tmp_path, changes):
    model = MaskFormer(config(**changes))
    save_segmenter(tmp_path, model)
    again = load_segmenter(tmp_path)
    assert again.config == model.config and same(again, model) and not again.training
    files = {path.name: path.read_bytes() for path in tmp_path.iterdir()}
    save_segmenter(tmp_path, again)
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == files


def with_classes(model: MaskFormer, *names: str) -> MaskFormer:
    features = torch.randn(len(names), model.config.clip_dim)
    model.trained = TrainedClasses(names, torch.nn.functional.normalize(features, dim=-1))
    return model


def test_a_segmenter_remembers_its_classes_and_needs_no_clip_to_tell_masks_from_ground(tmp_path):
    model = with_classes(MaskFormer(config()), "cat", "Straße").eval()
    save_segmenter(tmp_path, model)
    again = load_segmenter(tmp_path)
    assert again.trained.names == ("cat", "Straße")
    assert torch.equal(again.trained.text_features, model.trained.text_features)
    embed = torch.randn(3, model.config.clip_dim)
    text = model.trained.text_features
    no_object = model.class_logits(embed, text).softmax(-1)[:, -1]
    torch.testing.assert_close(again.objectness(embed), 1 - no_object, atol=1e-6, rtol=0)
    files = {path.name: path.read_bytes() for path in tmp_path.iterdir()}
    save_segmenter(tmp_path, again)
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == files

    again.trained = None
    with pytest.raises(UserError, match="does not know the classes"):
        again.objectness(embed)
    save_segmenter(tmp_path, again)
    assert load_segmenter(tmp_path).trained is None
    assert not (tmp_path / "classes.safetensors").exists()


def test_classes_that_do_not_belong_to_a_segmenter_are_named(tmp_path):
    save_segmenter(tmp_path, with_classes(MaskFormer(config()), "cat", "dog"))
    document = json.loads((tmp_path / "segmenter.json").read_text())
    for names, fault in ((["cat"], "text features of the trained"), ("cat", "no list of texts")):
        (tmp_path / "segmenter.json").write_text(json.dumps(document | {"classes": names}))
        with pytest.raises(UserError, match=fault):
            load_segmenter(tmp_path)
    (tmp_path / "segmenter.json").write_text(json.dumps(document))
    save_file({"text_features": torch.ones(2, 3)}, tmp_path / "classes.safetensors")
    with pytest.raises(UserError, match="classes.safetensors: not the file"):
        load_segmenter(tmp_path)
    (tmp_path / "classes.safetensors").unlink()
    with pytest.raises(MissingFileError, match="classes.safetensors: not found"):
        load_segmenter(tmp_path)


def test_what_is_missing_or_broken_is_named(tmp_path):
    with pytest.raises(FileNotFoundError, match="segmenter.json: not found"):
        load_segmenter(tmp_path)
    model = MaskFormer(config())
    save_segmenter(tmp_path, model)
    weights = tmp_path / "segmenter.safetensors"
    state = {key: value.clone() for key, value in load_file(weights).items()}  # not a memory map
    whole = weights.read_bytes()
    for damaged in (whole[:-5], whole[:-1] + bytes([whole[-1] ^ 1]), b""):
        weights.write_bytes(damaged)
        with pytest.raises(UserError, match="not the file that segmenter.json was written with"):
            load_segmenter(tmp_path)
    document = json.loads((tmp_path / "segmenter.json").read_text())
    del document["sha256"]  # as of an earlier version
    (tmp_path / "segmenter.json").write_text(json.dumps(document))
    save_file({k: v for k, v in state.items() if "query_embed" not in k}, weights)
    with pytest.raises(ValueError, match="missing: sem_seg_head.predictor.query_embed.weight"):
        load_segmenter(tmp_path)
    save_file(state | {"extra": torch.zeros(1)}, weights)
    with pytest.raises(ValueError, match="not in this architecture: extra"):
        load_segmenter(tmp_path)
    weights.write_bytes(b"nonsense")
    with pytest.raises(ValueError, match="not a readable safetensors file"):
        load_segmenter(tmp_path)
    for content in ('{"queries": 0}', "[]", "{"):
        (tmp_path / "segmenter.json").write_text(content)
        with pytest.raises(UserError, match="segmenter.json.*a segmenter's architecture"):
            load_segmenter(tmp_path)


def write_clip(folder: Path, number: int) -> None:
    save_clip(folder, tiny_clip(seed=number, depth=1), f"CLIP {number}")


def write_segmenter(folder: Path, number: int) -> None:
    save_segmenter(folder, with_classes(MaskFormer(config(queries=4 + number)), "cat"))


@pytest.mark.parametrize(
    ("write", "load", "moment"),
    [(write_clip, load_clip, moment) for moment in range(3)]
    + [(write_segmenter, load_segmenter, moment) for moment in range(3)],
)
def test_killed_while_it_is_written_a_folder_holds_no_mixture(
    tmp_path, monkeypatch, write, load, moment
):
    """Of old and new weights, their companion file and the JSON, which is written last; the same
    for a CLIP (pipeline/clip/store.py) as for a segmenter."""
    write(tmp_path, 0)
    move, moves = atomic.move, []

    def killed(source, target):
        if len(moves) == moment:
            raise KeyboardInterrupt
        moves.append(target)
        move(source, target)

    monkeypatch.setattr(atomic, "move", killed)
    with pytest.raises(KeyboardInterrupt):
        write(tmp_path, 1)
    with pytest.raises(UserError, match="json: not (there|found)"):
        load(tmp_path)


def test_a_damaged_segmenter_is_named(tmp_path):
    save_segmenter(tmp_path, MaskFormer(config()))
    description = json.loads((tmp_path / "segmenter.json").read_text())
    del description["sha256"]  # as of an earlier version
    (tmp_path / "segmenter.json").write_text(json.dumps(description))
    whole = (tmp_path / "segmenter.safetensors").read_bytes()
    for size in (0, 5, 8, 100, len(whole) // 2, len(whole) - 1):
        (tmp_path / "segmenter.safetensors").write_bytes(whole[:size])
        with pytest.raises(UserError, match="segmenter.safetensors: not a readable safetensors"):
            load_segmenter(tmp_path)
    for content in (b"[]", b"{", b"\xff"):
        (tmp_path / "segmenter.json").write_bytes(content)
        with pytest.raises(UserError, match="segmenter.json.*(segmenter's architecture|not UTF-8)"):
            load_segmenter(tmp_path)
