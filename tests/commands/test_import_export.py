import json

import numpy as np
import pytest
import torch
from PIL import Image

from pipeline.checkpoints.export import original_layout
from pipeline.clip.sources import base_clip
from pipeline.clip.store import load_clip, save_clip
from pipeline.commands.cli import main
from pipeline.maskformer.store import load_segmenter, save_segmenter
from tests.checkpoints.released import plain_maskformer
from tests.ovseg.tiny import tiny_clip, tiny_segmenter


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    """A model folder as the pipeline leaves it."""
    root = tmp_path_factory.mktemp("data")
    save_segmenter(root / "segmenter", tiny_segmenter())
    save_clip(root / "finetune/second", tiny_clip(prompt_depth=2), "adapted")
    return root


def files(folder) -> dict[str, bytes]:
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file() and path.name != "import.json"
    }


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


def test_a_clip_alone_and_its_prompts(data, tmp_path, capsys):
    main(["export", str(tmp_path), "--model", str(data), "--what", "clip"])
    main([
        "import", str(tmp_path / "clip.safetensors"), "--out", str(tmp_path / "data"),
        "--into", "base_clip", "--prompts", str(tmp_path / "prompts.safetensors"),
    ])  # fmt: skip
    assert "mask prompts of depth 2" in capsys.readouterr().out
    assert files(tmp_path / "data/base_clip") == files(data / "finetune/second")


def test_a_plain_maskformer_takes_the_width_of_the_clip_there(data, tmp_path, capsys):
    state = original_layout(tiny_segmenter(), tiny_clip(), classes=150)
    torch.save({"model": plain_maskformer(state)}, tmp_path / "plain.pth")
    save_clip(tmp_path / "data/base_clip", tiny_clip(), "base")
    save_segmenter(tmp_path / "architecture", tiny_segmenter())
    failing("import", str(tmp_path / "plain.pth"), "--out", str(tmp_path / "data"))
    assert "name it with --config: R101c, Swin-B, the original's" in capsys.readouterr().err
    main([
        "import", str(tmp_path / "plain.pth"), "--out", str(tmp_path / "data"),
        "--config", str(tmp_path / "architecture/segmenter.json"),
    ])  # fmt: skip
    said = capsys.readouterr().out
    assert "left over: sem_seg_head.predictor.class_embed.weight" in said
    assert "missing: " in said and "zeros: no opinion on names" in said
    assert "note: masks only: its 150 classes" in said
    found = load_segmenter(tmp_path / "data/segmenter").config
    assert found.clip_dim == 16


def failing(*arguments: str) -> None:
    with pytest.raises(SystemExit) as stop:
        main(list(arguments))
    assert stop.value.code == 2


def test_faults_end_in_one_line(data, tmp_path, capsys):
    failing("import", str(tmp_path / "none.pth"))
    torch.save({"fc": torch.ones(1)}, tmp_path / "fc.pth")
    failing("import", str(tmp_path / "fc.pth"))
    failing("import", str(tmp_path / "fc.pth"), "--into", "elsewhere")
    failing("import", str(tmp_path / "fc.pth"), "--config", str(tmp_path / "none.yaml"))
    failing("export", str(tmp_path), "--model", str(tmp_path / "nothing"))
    main(["export", str(tmp_path), "--model", str(data), "--what", "model"])
    failing("import", str(tmp_path / "ovseg.pth"), "--out", str(data))
    said = capsys.readouterr().err.splitlines()
    expected = ["no such file, expected weights", "not a checkpoint that can be imported",
                "--into elsewhere", "none.yaml: no such file", "not there",
                "pass --overwrite"]  # fmt: skip
    assert len(said) == 6 and all(e in s for e, s in zip(expected, said, strict=True))


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
