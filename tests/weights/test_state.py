"""Checkpoints as people have them: the same tensors as in the plain file, and what was recognised
is said; whatever else is there is named."""

import numpy as np
import pytest
import torch
from safetensors.torch import save_file
from torch import nn

from pipeline.checkpoints.layout import split
from pipeline.clip.sources import clip_from_checkpoint
from pipeline.core.errors import UserError
from pipeline.weights.read import read_tensors
from pipeline.weights.state import find_state
from tests.weights.content import STATE, same, stored, under


@pytest.mark.parametrize("old", [False, True], ids=["zip", "stream"])
@pytest.mark.parametrize(
    "content, place",
    [
        (STATE, None),
        ({"model": STATE}, None),
        ({"state_dict": STATE, "epoch": 3}, None),
        ({"model_state_dict": STATE, "optimizer_state_dict": {"a": torch.ones(2)}}, "itself"),
        ({"module": STATE, "ds_version": "0.9", "optimizer": {"a": torch.ones(1)}}, "module"),
        ({"checkpoint": {"model": STATE, "step": 1}}, "checkpoint/model"),
        ({"state": {"model": STATE}, "rng": {"torch": torch.ones(3)}}, "state/model"),
        ({"params": STATE}, "params"),
        ({"weights": STATE, "rng_state": torch.ones(2)}, "weights"),
        ({"state_dict_ema": STATE, "epoch": 3}, "state_dict_ema, averaged ones (EMA)"),
        ({"ema": {"model": STATE}}, "ema/model"),
        ({"my_clip": STATE, "iteration": 4, "rng_state": torch.ones(2)}, "my_clip"),
        ({"model": STATE, "ema": under("x.")}, None),
        ({"optimizer": {"state": {0: {"step": torch.ones(1)}}}, "student": STATE}, "student"),
        ([STATE], "[0]"),
        ((STATE, 3), "[0]"),
        ((3, STATE), "[1]"),
        ((STATE, {"state": {0: {"exp_avg": torch.ones(1)}}, "param_groups": [{"lr": 1}]}), "[0]"),
        ([{"state_dict": STATE, "epoch": 3}], "[0]/state_dict"),
        ({"model": [STATE], "epoch": 3}, "model/[0]"),
        ([[STATE, None]], "[0]/[0]"),
    ],
)  # fmt: skip
def test_the_state_dict_is_found(tmp_path, content, place, old):
    path = stored(tmp_path / "x.pt", content, _use_new_zipfile_serialization=not old)
    file = read_tensors(path)
    assert same(file.tensors)
    place = "model_state_dict" if place == "itself" else place
    assert file.notes == ([f"weights taken from its entry {place}"] if place else [])
    if isinstance(content, list | tuple):
        alone = [f"[{i}]" for i, part in enumerate(content) if part is not STATE]
        assert set(alone) <= {*file.others, "[0]"}
        return
    for other in content if content is not STATE else ():
        assert other in file.others or other in str(place) or other in ("model", "state_dict")


@pytest.mark.parametrize(
    "prefix",
    ["module.", "_orig_mod.", "model.", "module._orig_mod.", "_orig_mod.module.", "module.model.",
     "model.module.", "_forward_module.", "module.module.", "model._orig_mod."],
)  # fmt: skip
def test_what_wrappers_put_in_front_is_taken_off_and_said(tmp_path, prefix):
    file = read_tensors(stored(tmp_path / "x.pt", {"state_dict": under(prefix)}))
    assert same(file.tensors)
    (note,) = file.notes
    assert note.startswith("keys are named without the ") and all(
        f"{word}." in note for word in prefix.split(".") if word
    )


def test_wrappers_of_a_part_are_taken_off_where_they_stand(tmp_path):
    content = {key.replace("visual.", "visual._orig_mod."): v for key, v in STATE.items()}
    file = read_tensors(stored(tmp_path / "x.pt", content))
    assert same(file.tensors) and "_orig_mod. of torch.compile" in file.notes[0]
    save_file({"visual.module.weight": torch.ones(1)}, tmp_path / "own.safetensors")
    assert list(read_tensors(tmp_path / "own.safetensors").tensors) == ["visual.module.weight"]


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.visual = nn.Module()
        self.visual.conv1 = nn.Linear(2, 2)
        self.register_buffer("scale", torch.tensor(2.0))
        self.twice = self.visual.conv1


@pytest.mark.filterwarnings("ignore")
def test_a_model_that_was_saved_whole_gives_its_weights(tmp_path):
    model = Net()
    for content, note in (
        (model, "the file holds a whole tests.weights.test_state.Net"),
        ({"model": model, "epoch": 1}, "read as data"),
        (nn.DataParallel(model), "without the module."),
    ):
        file = read_tensors(stored(tmp_path / "x.pt", content))
        assert any(note in line for line in file.notes)
        assert set(file.tensors) == set(model.state_dict())
        assert all(torch.equal(file.tensors[k], v) for k, v in model.state_dict().items())


def test_what_cannot_be_chosen_or_used_is_named(tmp_path):
    path = stored(tmp_path / "two.pt", {"teacher": STATE, "student": STATE, "epoch": 3})
    with pytest.raises(UserError, match=r"two.pt: .*teacher \(3 tensors\), student \(3 tensors\)"):
        read_tensors(path)
    path = stored(tmp_path / "list.pt", [STATE, under("ema."), 3])
    with pytest.raises(UserError, match=r"list.pt: .*\[0\] \(3 tensors\), \[1\] \(3 tensors\)"):
        read_tensors(path)
    path = stored(tmp_path / "pairs.pt", list(STATE.items()))
    with pytest.raises(UserError, match=r"pairs.pt: holds no tensors.* a list of 3, of tuple"):
        read_tensors(path)
    within: dict = {"w": torch.ones(1)}
    within["model"] = [within]
    assert list(read_tensors(stored(tmp_path / "self.pt", within)).tensors) == ["w"]
    quantised = torch.quantize_per_tensor(torch.ones(3), 0.1, 0, torch.qint8)
    path = stored(tmp_path / "q.pt", {"model": STATE | {"q": quantised}})
    with pytest.raises(UserError, match="q.pt: its tensor q is quantised, expected plain float"):
        read_tensors(path)
    path = stored(tmp_path / "m.pt", {"m": torch.ones(3, device="meta")})
    with pytest.raises(UserError, match="m.pt: its tensor m is on torch's meta device"):
        read_tensors(path)
    path = stored(tmp_path / "s.pt", {"s": torch.ones(3).to_sparse()})
    with pytest.raises(UserError, match="s.pt: its tensor s is sparse"):
        read_tensors(path)
    path = stored(tmp_path / "n.pt", {"optimizer": {"a": torch.ones(1)}, "epoch": 3})
    with pytest.raises(UserError, match="n.pt: holds no tensors, .* has optimizer, epoch"):
        read_tensors(path)


@pytest.mark.parametrize("number", [4.6052, 4, np.float32(4.6052), np.float64(4.6052)])
@pytest.mark.parametrize("entry", [None, "state_dict"])
def test_a_scale_that_is_a_plain_number_is_a_weight(tmp_path, number, entry):
    """It was said to be missing. Other numbers beside the weights are none."""
    state = {"a.weight": torch.ones(2), "module.logit_scale": number, "best": 0.5, "epoch": 3}
    file = read_tensors(stored(tmp_path / "x.pt", {entry: state} if entry else state))
    assert file.tensors["logit_scale"].shape == () and file.others == ["best", "epoch"]
    assert file.tensors["logit_scale"].item() == pytest.approx(float(number))
    assert f"module.logit_scale is the plain number {number:g}, read as a weight" in file.notes


def zero(**more) -> dict:
    return {"ds_config": {}, "ds_version": "0.16.4", **more}


DIVIDED = {
    "zero_pp_rank_0_mp_rank_00_model_states.pt": zero(
        module={"a.weight": torch.zeros(0), "a.bias": torch.ones(2)}, param_shapes=[{}]
    ),
    "zero_pp_rank_0_mp_rank_00_optim_states.pt": zero(
        optimizer_state_dict={"zero_stage": 3, "fp32_flat_groups": [torch.ones(9)]}
    ),
}


@pytest.mark.parametrize("name", DIVIDED)
def test_a_part_of_a_divided_checkpoint_is_called_so(tmp_path, name):
    path = stored(tmp_path / name, DIVIDED[name])
    with pytest.raises(UserError, match=f"{name}: a part of a .* ZeRO .* zero_to_fp32.py FOLDER"):
        read_tensors(path)


def test_zero_checkpoints_with_whole_weights_and_other_empty_tensors_are_read(tmp_path):
    state = {"a.weight": torch.ones(2), "empty": torch.zeros(0)}
    assert same(read_tensors(stored(tmp_path / "a.pt", {"module": state})).tensors, state)
    whole = zero(module=STATE, param_shapes=[{}])
    assert same(read_tensors(stored(tmp_path / "b.pt", whole)).tensors)


def test_a_part_of_fsdp_is_called_so(tmp_path):
    state = {"_fsdp_wrapped_module._flat_param": torch.ones(9)}
    with pytest.raises(UserError, match="x.pt: .*FSDP has divided .*FULL_STATE_DICT"):
        read_tensors(stored(tmp_path / "x.pt", state))


@pytest.mark.parametrize("prefix", ["", "model.", "clip."])
def test_hugging_faces_layout_is_named(tmp_path, prefix):
    state = {
        "logit_scale": torch.ones(()),
        "text_model.encoder.layers.0.self_attn.k_proj.weight": torch.ones(2, 2),
        "vision_model.embeddings.patch_embedding.weight": torch.ones(2, 3, 4, 4),
    }
    path = stored(tmp_path / "x.pt", {prefix + key: value for key, value in state.items()})
    for load in (
        lambda: split(read_tensors(path).tensors, str(path)),
        lambda: clip_from_checkpoint(path, "ViT-B-16"),
    ):
        with pytest.raises(UserError, match="x.pt: a CLIP in the layout of Hugging Face's"):
            load()


def test_other_weights_in_the_file_are_said_not_to_be_used(tmp_path):
    """A training's running weights beside their average: which were taken must be seen."""
    weights = {"a.weight": torch.ones(2, 2)}
    found = find_state({"state_dict": weights, "state_dict_ema": weights, "epoch": 3}, "x.pt", "")
    assert found.notes == ["its entry state_dict_ema holds weights too, which are not used"]
    assert sorted(found.others) == ["epoch", "state_dict_ema"]
