"""Segmenters of others, as the stage `segmenter` takes them over."""

import pytest
import torch

from pipeline.checkpoints.load import load_or_import_segmenter
from pipeline.maskformer.maskformer import MaskFormer
from pipeline.maskformer.store import save_segmenter
from tests.segmenter.tiny import config, text

CPU = torch.device("cpu")
WIDTH = text().shape[1]


ARCHITECTURE = config(heads=8)


def model() -> MaskFormer:
    return MaskFormer(ARCHITECTURE).eval()


def masks(segmenter: MaskFormer) -> torch.Tensor:
    with torch.inference_mode():
        image = torch.arange(3 * 40 * 50, dtype=torch.uint8).view(3, 40, 50)
        return segmenter([image], text()).pred_masks


def test_a_checkpoint_of_the_original_is_taken_without_its_clip(tmp_path, capsys):
    source = model()
    elsewhere = {
        "clip_adapter.clip_model.visual.proj": torch.zeros(2),
        "clip_adapter.pixel_mean": torch.zeros(3),
        "criterion.empty_weight": torch.zeros(4),
        "stranger": torch.zeros(1),
    }
    path = tmp_path / "released.pth"
    torch.save({"model": source.state_dict() | elsewhere, "iteration": 7}, path)
    assert torch.equal(
        masks(load_or_import_segmenter(str(path), CPU, WIDTH, ARCHITECTURE)), masks(source)
    )
    said = " ".join(capsys.readouterr().out.split())
    for words in (
        f"{len(source.state_dict())} tensors", "2 left over (the CLIP's)",
        "1 left over (belongs to no part of this model)",
    ):  # fmt: skip
        assert words in said


def test_a_plain_maskformer_of_old_names_gives_its_masks(tmp_path, capsys):
    source = model()
    fixed = "sem_seg_head.predictor.class_embed"
    state = {
        key.replace("sem_seg_head.pixel_decoder.", "sem_seg_head."): value
        for key, value in source.state_dict().items()
        if not key.startswith((f"{fixed}.layers", "clip_adapter"))
    }
    state |= {f"{fixed}.weight": torch.zeros(8, 16), f"{fixed}.bias": torch.zeros(8)}
    torch.save({"model": state}, tmp_path / "plain.pth")
    taken = load_or_import_segmenter(str(tmp_path / "plain.pth"), CPU, WIDTH, ARCHITECTURE)
    assert torch.equal(masks(taken), masks(source))
    assert "masks only: its 7 classes" in " ".join(capsys.readouterr().out.split())


def test_what_holds_no_segmenter_is_refused(tmp_path):
    torch.save({"visual.conv1.weight": torch.zeros(4, 3, 2, 2)}, tmp_path / "clip.pth")
    with pytest.raises(ValueError, match="clip.pth: holds a CLIP and no segmenter"):
        load_or_import_segmenter(str(tmp_path / "clip.pth"), CPU, WIDTH, ARCHITECTURE)
    with pytest.raises(ValueError, match="segmenter.checkpoint is null"):
        load_or_import_segmenter(None, CPU, WIDTH, ARCHITECTURE)


def test_another_width_than_the_clips_is_told_at_once(tmp_path):
    torch.save({"model": model().state_dict()}, tmp_path / "released.pth")
    with pytest.raises(ValueError, match=f"is for a CLIP of width {WIDTH}, not 512"):
        load_or_import_segmenter(str(tmp_path / "released.pth"), CPU, 512, ARCHITECTURE)
    save_segmenter(tmp_path / "ours", model())
    with pytest.raises(ValueError, match=f"is for a CLIP of width {WIDTH}, not 512"):
        load_or_import_segmenter(str(tmp_path / "ours"), CPU, 512, ARCHITECTURE)


def test_the_architecture_of_a_foreign_file_is_that_of_the_section(tmp_path):
    torch.save({"model": model().state_dict()}, tmp_path / "foreign.pth")
    other = config(heads=8, decoder_layers=3)
    with pytest.raises(ValueError, match="missing: .*; of a file .* segmenter.architecture must"):
        load_or_import_segmenter(str(tmp_path / "foreign.pth"), CPU, WIDTH, other)


def test_a_folder_of_ours_is_taken_as_it_is(tmp_path):
    source = model()
    save_segmenter(tmp_path, source)
    assert torch.equal(
        masks(load_or_import_segmenter(str(tmp_path), CPU, WIDTH, ARCHITECTURE)), masks(source)
    )
