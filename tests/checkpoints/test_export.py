"""What is exported: open_clip loads it, and importing it gives back every bit."""

import copy

import pytest
import torch
from detectron2.checkpoint import DetectionCheckpointer

from pipeline.checkpoints.export import export_clip, export_model, open_clip_name, original_layout
from pipeline.checkpoints.import_ import import_checkpoint
from pipeline.checkpoints.prompts import read_prompts
from pipeline.clip.sources import model_config
from pipeline.clip.store import load_clip, save_clip
from pipeline.maskformer.maskformer import MaskFormer
from pipeline.maskformer.store import save_segmenter
from pipeline.maskformer.trained_classes import TrainedClasses
from pipeline.weights.read import read_tensors
from tests.clip.tiny import tiny_clip
from tests.segmenter.tiny import config, resnet, swin

BACKBONES = {
    "resnet": resnet(),
    "resnet50c": resnet(depth=50, stem="deeplab", res5_multi_grid=(1, 2, 4), norm="FrozenBN"),
    "swin": swin(),
}


@pytest.mark.parametrize("name", ["ViT-L-14-quickgelu", "ViT-B-16-quickgelu", "ViT-B-16"])
def test_open_clips_own_name_is_found(name):
    assert open_clip_name(model_config(name)) == name
    changed = copy.deepcopy(model_config(name))
    changed["vision_cfg"]["layers"] = 5
    assert open_clip_name(changed) is None


@pytest.mark.parametrize("depth", [0, 3])
def test_an_exported_clip_comes_back(tmp_path, depth):
    clip = tiny_clip(depth=depth)
    save_clip(tmp_path / "before", clip, clip.name)
    export_clip(tmp_path, clip)
    file = tmp_path / "clip.safetensors"
    prompts = read_prompts(tmp_path / "prompts.safetensors") if depth else None
    back = import_checkpoint(read_tensors(file), file, prompts=prompts).clip
    save_clip(tmp_path / "after", back, back.name)
    assert same_files(tmp_path / "before", tmp_path / "after")


def same_files(a, b) -> bool:
    names = {path.name for path in a.iterdir()} | {path.name for path in b.iterdir()}
    return bool(names) and all((a / n).read_bytes() == (b / n).read_bytes() for n in names)


@pytest.mark.parametrize("backbone", BACKBONES)
@pytest.mark.parametrize("changes", [{}, {"query_kind": "anchored", "queries": 4, "heads": 2}])
def test_the_whole_model_comes_back_bit_for_bit(tmp_path, backbone, changes):
    torch.manual_seed(0)
    segmenter = MaskFormer(config(backbone=BACKBONES[backbone], **changes))
    clip = tiny_clip(depth=2)
    clip.mean.copy_(torch.rand(3) / 100)  # no short decimals
    features = torch.randn(2, segmenter.config.clip_dim)
    segmenter.trained = TrainedClasses(("cat", "dog"), torch.nn.functional.normalize(features))
    save_segmenter(tmp_path / "before", segmenter)
    save_clip(tmp_path / "before", clip, clip.name)
    given = export_model(tmp_path / "ovseg.pth", segmenter, clip, classes=7)
    file = read_tensors(tmp_path / "ovseg.pth")
    assert file.tensors.keys() == given.keys()
    back = import_checkpoint(file, tmp_path / "ovseg.pth")
    assert back.left_over.keys() == {"criterion.empty_weight"} and not back.filled
    save_segmenter(tmp_path / "after", back.segmenter)
    save_clip(tmp_path / "after", back.clip, back.clip.name)
    assert same_files(tmp_path / "before", tmp_path / "after")
    assert len(export_model(tmp_path / "own.pth", segmenter, clip)["criterion.empty_weight"]) == 3
    again = original_layout(back.segmenter, back.clip, classes=7)
    assert list(again) == list(given) and all(torch.equal(again[k], given[k]) for k in given)


def test_detectron2_reads_the_segmenter_from_the_file(tmp_path):
    torch.manual_seed(0)
    segmenter = MaskFormer(config())
    export_model(tmp_path / "ovseg.pth", segmenter, tiny_clip())
    other = MaskFormer(config())
    DetectionCheckpointer(other).load(str(tmp_path / "ovseg.pth"))
    assert all(torch.equal(a, b) for a, b in zip(
        other.state_dict().values(), segmenter.state_dict().values(), strict=True
    ))  # fmt: skip


def test_a_loaded_clip_goes_out_as_it_is(tmp_path):
    save_clip(tmp_path / "a", tiny_clip(depth=1), "named")
    export_clip(tmp_path / "b", load_clip(tmp_path / "a"))
    back = import_checkpoint(read_tensors(tmp_path / "b/clip.safetensors"), tmp_path / "b")
    assert back.clip.name == "named"
