"""The architecture is read off the weights, and off the keys of the released checkpoints."""

import pytest
import torch

from pipeline.checkpoints.architecture import infer_config
from pipeline.maskformer.maskformer import MaskFormer
from tests.checkpoints.released import KEY_LISTS, key_list
from tests.goldens import FOLDER
from tests.segmenter.tiny import config, resnet, swin

BACKBONES = {
    "resnet18": resnet(),
    "resnet50-gn": resnet(
        depth=50, norm="GN", stem_channels=32, res2_channels=64, bottleneck_channels=32
    ),
    "resnet50c": resnet(depth=50, norm="FrozenBN", stem="deeplab", res5_multi_grid=(1, 2, 4)),
    "swin": swin(drop_path=0.3),
}


@pytest.mark.parametrize("kind", BACKBONES)
def test_the_architecture_is_read_off_the_weights(kind):
    parts = {"heads": 8, "decoder_layers": 3, "class_layers": 3}  # 8: no shape tells
    expected = config(backbone=BACKBONES[kind], **parts)
    found = infer_config(MaskFormer(expected).state_dict())
    if kind == "resnet18":  # has no bottleneck whose width could be read
        expected = config(backbone=resnet(bottleneck_channels=64), **parts)
    assert found == expected


def test_other_weights_are_no_maskformer():
    with pytest.raises(
        ValueError, match="mask_features.weight, .* are missing: not the weights of a"
    ):
        infer_config({"x": torch.zeros(1)})


@pytest.mark.skipif(not KEY_LISTS, reason=f"no key lists in {FOLDER}: set OVSEG_GOLDENS")
def test_released_checkpoints_have_exactly_our_keys():
    checked = 0
    for path in KEY_LISTS:
        state = key_list(path)
        if not any(key.startswith("sem_seg_head.") for key in state):
            continue
        model = MaskFormer(infer_config(state))
        ours = {key: (v.shape, v.dtype) for key, v in model.state_dict().items()}
        theirs = {
            key: (v.shape, v.dtype)
            for key, v in state.items()
            if key.startswith(("backbone.", "sem_seg_head.", "clip_adapter.non_object"))
        }
        assert ours == theirs, path.name
        checked += 1
    assert checked
