"""What `ovseg export` writes comes back, and the lines that it prints run."""

import json

import numpy as np
import pytest
import torch
from PIL import Image

from pipeline.clip.sources import base_clip
from pipeline.clip.store import load_clip, save_clip
from pipeline.commands.cli import main
from tests.commands.models import files, save_model


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    return save_model(tmp_path_factory.mktemp("data"))


def test_what_is_exported_comes_back_and_runs(data, tmp_path, capsys):
    main(["export", str(tmp_path / "given"), "--model", str(data), "--classes", "5"])
    said = capsys.readouterr().out
    assert 'open_clip.add_model_config("' in said and "with_prompts(model," in said
    assert {path.name for path in (tmp_path / "given").iterdir()} == {
        "clip.safetensors", "prompts.safetensors", "ovseg-clip.json", "ovseg.pth"
    }  # fmt: skip
    main(["import", str(tmp_path / "given/ovseg.pth"), "--out", str(tmp_path / "back")])
    said = capsys.readouterr().out
    assert "left over: criterion.empty_weight (a constant of the training loss)" in said
    assert files(tmp_path / "back") == files(data)
    account = json.loads((tmp_path / "back/segmenter/import.json").read_text())
    assert account["left_over"].keys() == {"criterion.empty_weight"}

    image = np.random.default_rng(0).integers(0, 256, (30, 40, 3), dtype=np.uint8)
    Image.fromarray(image).save(tmp_path / "a.png")
    for model in (data, tmp_path / "back"):
        flags = ["--classes", "cat,dog", "--model", str(model), "--out", str(tmp_path / model.name)]
        main(["segment", str(tmp_path / "a.png"), "--threshold", "0.5", *flags])
    labels = [np.array(Image.open(tmp_path / n / "a-labels.png")) for n in (data.name, "back")]
    assert (labels[0] == labels[1]).all()


@torch.no_grad()
def test_the_printed_lines_run(data, tmp_path, capsys, monkeypatch):
    import open_clip

    monkeypatch.setattr(open_clip.factory, "_MODEL_CONFIGS", {**open_clip.factory._MODEL_CONFIGS})
    paths = list(open_clip.factory._MODEL_CONFIG_PATHS)
    monkeypatch.setattr(open_clip.factory, "_MODEL_CONFIG_PATHS", paths)
    main(["export", str(tmp_path), "--model", str(data), "--what", "clip"])
    lines = [line[4:] for line in capsys.readouterr().out.splitlines() if line.startswith("    ")]
    assert len(lines) == 6 and not (tmp_path / "ovseg.pth").exists()
    images, masks = torch.randn(2, 3, 32, 32), torch.rand(2, 32, 32) < 0.02
    found = {"images": images, "masks": masks}
    exec("\n".join(lines), found)  # the command's own words
    clip = load_clip(data / "finetune/second")
    assert torch.equal(found["features"], clip.encode_image(images, masks))
    assert torch.equal(found["model"].eval().encode_image(images), clip.encode_image(images))


@pytest.mark.parametrize("colour", [None, 0.5])
def test_the_lines_that_export_prints_give_the_same_features(data, tmp_path, capsys, colour):
    """Executed as they stand, also where the CLIP has other colours than OpenAI's."""
    clip = load_clip(data / "finetune/second")
    if colour is not None:
        clip.mean.fill_(colour), clip.std.fill_(colour)
    save_clip(tmp_path / "model" / "clip", clip, "x")
    exported = ["export", str(tmp_path / "out"), "--model", str(tmp_path / "model")]
    main([*exported, "--clip", "clip", "--what", "clip"])
    lines = [line.strip() for line in capsys.readouterr().out.splitlines()]
    code = [x for x in lines if x.startswith(("import ", "open_clip.", "model", "from ", "clip"))]
    space: dict = {}
    exec("\n".join(code), space)
    images = torch.rand(2, 3, clip.image_size, clip.image_size)
    expected = clip.encode_image((images - clip.mean[:, None, None]) / clip.std[:, None, None])
    adapted = space.get("clip", space["model"])
    mean, std = (
        (space["clip"].mean, space["clip"].std) if "clip" in space else (clip.mean, clip.std)
    )
    assert torch.equal(mean, clip.mean) and torch.equal(std, clip.std)
    given = adapted.eval().encode_image((images - mean[:, None, None]) / std[:, None, None])
    assert torch.equal(given, expected)
    main(["import", str(tmp_path / "out/clip.safetensors"), "--out", str(tmp_path / "back")])
    back = load_clip(tmp_path / "back/finetune/second")
    assert back.prompt_depth == clip.prompt_depth and torch.equal(back.mean, clip.mean)
    again = base_clip("checkpoint", None, None, str(tmp_path / "out/clip.safetensors"))
    assert again.model_cfg == clip.model_cfg and torch.equal(again.std, clip.std)
