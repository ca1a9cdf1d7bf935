"""What `ovseg import` writes, says and refuses."""

import pytest
import torch

from pipeline.checkpoints.export import original_layout
from pipeline.clip.store import save_clip
from pipeline.commands.cli import main
from pipeline.maskformer.store import load_segmenter, save_segmenter
from tests.checkpoints.released import plain_maskformer
from tests.commands.models import files, save_model
from tests.ovseg.tiny import tiny_clip, tiny_segmenter


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    return save_model(tmp_path_factory.mktemp("data"))


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
