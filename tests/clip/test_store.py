import json
from pathlib import Path

import open_clip
import pytest
import torch
from safetensors.torch import load_file, save_file

from pipeline.clip.store import PROMPT_KEY, build_from_config, load_clip, save_clip
from pipeline.core.errors import UserError
from tests.clip.tiny import CONFIG, tiny_clip


def test_a_clip_comes_back_as_it_was(tmp_path):
    clip = tiny_clip(depth=2)
    save_clip(tmp_path, clip, "a test")
    back = load_clip(tmp_path)
    assert back.name == "a test" and not back.training
    assert torch.equal(back.prompts, clip.prompts)
    assert torch.equal(back.mean, clip.mean) and torch.equal(back.std, clip.std)
    for key, value in clip.clip.state_dict().items():
        assert torch.equal(back.clip.state_dict()[key], value), key
    images = torch.randn(2, 3, 24, 24)
    assert torch.equal(back.encode_image(images), clip.encode_image(images))


def test_the_same_clip_is_the_same_bytes(tmp_path):
    clip = tiny_clip(depth=1)
    for folder in ("a", "b"):
        save_clip(tmp_path / folder, clip, "a test")
    for file in (tmp_path / "a").iterdir():
        assert file.read_bytes() == (tmp_path / "b" / file.name).read_bytes()


def test_prompts_that_are_gone_leave_no_file(tmp_path):
    save_clip(tmp_path, tiny_clip(depth=1), "with")
    save_clip(tmp_path, tiny_clip(), "without")
    assert load_clip(tmp_path).prompts is None
    assert sorted(p.name for p in tmp_path.iterdir()) == ["clip.json", "clip.safetensors"]


def test_half_precision_on_disk_is_float32_in_memory(tmp_path):
    clip = tiny_clip()
    save_clip(tmp_path, clip, "half", half=True)
    assert load_file(tmp_path / "clip.safetensors")["visual.proj"].dtype == torch.float16
    back = load_clip(tmp_path)
    assert back.clip.visual.proj.dtype == torch.float32
    assert torch.allclose(back.clip.visual.proj, clip.clip.visual.proj, atol=1e-3)


def test_open_clip_loads_the_file(tmp_path, monkeypatch):
    """`open_clip.create_model(name, pretrained=FILE)` with identical features."""
    clip = tiny_clip(depth=2)
    save_clip(tmp_path, clip, "adapted")
    (tmp_path / "ViT-tiny-test.json").write_text(json.dumps(CONFIG))
    known = open_clip.factory._MODEL_CONFIGS
    monkeypatch.setattr(open_clip.factory, "_MODEL_CONFIGS", known.copy())
    monkeypatch.setattr(
        open_clip.factory, "_MODEL_CONFIG_PATHS", list(open_clip.factory._MODEL_CONFIG_PATHS)
    )
    open_clip.add_model_config(tmp_path / "ViT-tiny-test.json")
    model = open_clip.create_model(
        "ViT-tiny-test", pretrained=str(tmp_path / "clip.safetensors")
    ).eval()
    images, tokens = torch.randn(2, 3, 24, 24), clip.tokenize(["cat", "dog"])
    assert torch.equal(model.encode_image(images), clip.encode_image(images))
    assert torch.equal(model.encode_text(tokens), clip.clip.encode_text(tokens))


def test_missing_and_broken_files_are_named(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"clip.json: not there.*dvc repro"):
        load_clip(tmp_path)
    save_clip(tmp_path, tiny_clip(depth=1), "a test")
    (tmp_path / "prompts.safetensors").unlink()
    with pytest.raises(FileNotFoundError, match="prompts.safetensors.*prompt_depth 1"):
        load_clip(tmp_path)
    content = json.loads((tmp_path / "clip.json").read_text())
    del content["sha256"]  # as of an earlier version
    (tmp_path / "clip.json").write_text(json.dumps(content))
    weights = load_file(tmp_path / "clip.safetensors")
    weights["odd"] = weights.pop("visual.proj")
    weights["logit_scale"] = torch.zeros(2)
    save_file(weights, tmp_path / "clip.safetensors")
    with pytest.raises(
        ValueError,
        match=r"1 missing: visual.proj; 1 of another shape: logit_scale .*; 1 not in .*: odd",
    ):
        load_clip(tmp_path)
    (tmp_path / "clip.json").write_text("{}")
    with pytest.raises(ValueError, match="not a CLIP configuration"):
        load_clip(tmp_path)


def forget_hashes(folder: Path) -> None:
    """Leave a CLIP folder as an earlier version wrote it."""
    content = json.loads((folder / "clip.json").read_text())
    del content["sha256"]
    (folder / "clip.json").write_text(json.dumps(content))


@pytest.mark.parametrize("name", ["clip.safetensors", "prompts.safetensors"])
def test_weights_cut_short_are_named(tmp_path, name):
    save_clip(tmp_path, tiny_clip(depth=1), "a test")
    forget_hashes(tmp_path)
    whole = (tmp_path / name).read_bytes()
    for size in (0, 5, 8, 100, len(whole) // 2, len(whole) - 1):
        (tmp_path / name).write_bytes(whole[:size])
        with pytest.raises(UserError, match=f"{name}: not a readable safetensors file .*cut short"):
            load_clip(tmp_path)


def test_prompts_that_are_others_are_named(tmp_path):
    save_clip(tmp_path, tiny_clip(depth=1), "a test")
    forget_hashes(tmp_path)
    path = tmp_path / "prompts.safetensors"
    for tensors, message in (
        ({"odd": torch.zeros(1, 9, 32)}, r"holds \['odd'\], expected visual.mask_embedding alone"),
        ({PROMPT_KEY: torch.zeros(1, 4, 32)}, r"mask prompts of shape \(1, 4, 32\) do not fit"),
        ({PROMPT_KEY: torch.full((1, 9, 32), torch.nan)}, "mask prompts hold NaN"),
        ({PROMPT_KEY: torch.zeros(2, 9, 32)}, "prompts of depth 2, though clip.json says .* 1"),
    ):
        save_file(tensors, path)
        with pytest.raises(UserError, match=f"prompts.safetensors: {message}"):
            load_clip(tmp_path)


@pytest.mark.parametrize(
    "content", [b"[1]", b"7", b'{"model_cfg": [], "name": 1}', b"{", b"\xff", b'{"model_cfg": 3}']
)
def test_an_odd_configuration_is_named(tmp_path, content):
    save_clip(tmp_path, tiny_clip(), "a test")
    (tmp_path / "clip.json").write_bytes(content)
    with pytest.raises(UserError, match="clip.json(:.* a CLIP configuration|:1: not UTF-8)"):
        load_clip(tmp_path)


@pytest.mark.parametrize("name", ["clip.safetensors", "prompts.safetensors"])
@pytest.mark.parametrize("spoil", [lambda d: d[:-5], lambda d: b"", lambda d: _flipped(d)])
def test_a_damaged_file_is_named(tmp_path, name, spoil):
    save_clip(tmp_path, tiny_clip(depth=1), "a test")
    (tmp_path / name).write_bytes(spoil((tmp_path / name).read_bytes()))
    with pytest.raises(UserError, match=rf"{name}: not the file that clip.json was written with"):
        load_clip(tmp_path)


def _flipped(data: bytes) -> bytes:
    """With one bit of the last weight turned over."""
    return data[:-1] + bytes([data[-1] ^ 1])


def test_prompts_carry_the_originals_key(tmp_path):
    save_clip(tmp_path, tiny_clip(depth=3), "a test")
    prompts = load_file(tmp_path / "prompts.safetensors")
    assert {key: tuple(value.shape) for key, value in prompts.items()} == {PROMPT_KEY: (3, 9, 32)}


def test_coca_is_refused():
    with pytest.raises(ValueError, match="CoCa"):
        build_from_config(CONFIG | {"multimodal_cfg": {}})
