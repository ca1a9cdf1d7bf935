"""Mask prompts come to a model that open_clip has loaded."""

import open_clip
import pytest
import torch

from pipeline.checkpoints.export import export_clip
from pipeline.checkpoints.prompts import read_prompts, with_prompts
from tests.clip.tiny import tiny_clip


@pytest.fixture
def models(monkeypatch):
    """open_clip's list of architectures, as it was afterwards."""
    factory = open_clip.factory
    monkeypatch.setattr(factory, "_MODEL_CONFIGS", factory._MODEL_CONFIGS.copy())
    monkeypatch.setattr(factory, "_MODEL_CONFIG_PATHS", list(factory._MODEL_CONFIG_PATHS))


@torch.no_grad()
def test_open_clip_loads_the_clip_and_its_prompts(tmp_path, models):
    clip = tiny_clip(depth=2)
    name, known = export_clip(tmp_path, clip)
    assert not known
    open_clip.add_model_config(tmp_path / f"{name}.json")
    model = open_clip.create_model(name, pretrained=str(tmp_path / "clip.safetensors")).eval()
    images, tokens = torch.randn(3, 3, 24, 24), clip.tokenize(["cat", "dog"])
    assert torch.equal(model.encode_image(images), clip.encode_image(images))
    assert torch.equal(model.encode_text(tokens), clip.clip.encode_text(tokens))

    prompted = with_prompts(model, tmp_path / "prompts.safetensors")
    masks = torch.rand(3, 24, 24) < 0.02
    assert torch.equal(prompted.encode_image(images, masks), clip.encode_image(images, masks))
    assert torch.equal(prompted.encode_image(images), model.encode_image(images))
    assert prompted.clip is model


def test_a_clip_without_prompts_leaves_no_file_of_them(tmp_path):
    export_clip(tmp_path, tiny_clip(depth=1))
    export_clip(tmp_path, tiny_clip())
    with pytest.raises(FileNotFoundError, match="expected mask prompts"):
        read_prompts(tmp_path / "prompts.safetensors")
    with pytest.raises(ValueError, match="holds no visual.mask_embedding"):
        read_prompts(tmp_path / "clip.safetensors")
