"""The original's yaml configuration in our words; what this project does not have is named."""

from copy import deepcopy
from typing import Any

import pytest

from pipeline.checkpoints.original import segmenter_config, segmenter_view
from pipeline.clip.view import SegmenterView
from pipeline.core.errors import UserError
from pipeline.maskformer.config import ResNetConfig, SwinConfig
from tests.reference.weights import MODEL

R101C = {
    "BACKBONE": {"NAME": "build_resnet_deeplab_backbone", "FREEZE_AT": 2},
    "RESNETS": {
        "DEPTH": 101, "STEM_TYPE": "deeplab", "STEM_OUT_CHANNELS": 128, "RES2_OUT_CHANNELS": 256,
        "WIDTH_PER_GROUP": 64, "NUM_GROUPS": 1, "NORM": "SyncBN", "STRIDE_IN_1X1": False,
        "RES4_DILATION": 1, "RES5_DILATION": 1, "RES5_MULTI_GRID": [1, 2, 4],
        "DEFORM_ON_PER_STAGE": [False] * 4,
    },
}  # fmt: skip


def changed(**sections: dict[str, Any]) -> dict[str, Any]:
    """MODEL with some keys of some of its sections replaced."""
    model = deepcopy(MODEL)
    for name, keys in sections.items():
        model[name] = model.get(name, {}) | keys
    return model


def test_every_key_has_its_place():
    config = segmenter_config({"MODEL": MODEL})
    assert segmenter_config(MODEL) == config  # without the outer MODEL
    assert isinstance(config.backbone, SwinConfig)
    assert (config.backbone.depths, config.backbone.heads) == ((2, 1, 1, 1), (1, 2, 2, 4))
    assert (config.clip_dim, config.class_hidden, config.class_layers) == (24, 20, 3)
    assert (config.conv_dim, config.mask_dim, config.hidden_dim) == (32, 16, 24)
    assert (config.heads, config.feedforward, config.decoder_layers, config.queries) == (
        4,
        40,
        2,
        7,
    )
    assert config.memory_feature == "res4" and config.enforce_input_proj
    assert config.pixel_mean == (100.0, 110.0, 120.0) and config.pixel_std == (50.0, 60.0, 70.0)


def test_the_plain_resnet_has_none_of_what_only_the_deeplab_one_reads():
    deeplab = segmenter_config(MODEL | R101C).backbone
    assert deeplab == ResNetConfig(norm="SyncBN", freeze_at=2)
    name = {"NAME": "build_resnet_backbone", "FREEZE_AT": 0}
    plain = segmenter_config(MODEL | R101C | {"BACKBONE": name}).backbone
    assert plain == ResNetConfig(stem="basic", norm="SyncBN", res5_multi_grid=None)


@pytest.mark.parametrize(
    ("sections", "words"),
    [
        ({"BACKBONE": {"NAME": "ConvNeXt"}}, "BACKBONE.NAME = 'ConvNeXt': this project has D2Swin"),
        ({"SEM_SEG_HEAD": {"NORM": "BN"}}, "SEM_SEG_HEAD.NORM = 'BN': this project has only 'GN'"),
        ({"SEM_SEG_HEAD": {"TRANSFORMER_ENC_LAYERS": 6}}, "TRANSFORMER_ENC_LAYERS = 6"),
        ({"SEM_SEG_HEAD": {"IN_FEATURES": ["res5"]}}, r"IN_FEATURES = \['res5'\]"),
        ({"MASK_FORMER": {"ENC_LAYERS": 2}}, "MASK_FORMER.ENC_LAYERS = 2"),
        (R101C | {"RESNETS": {"DEFORM_ON_PER_STAGE": [True]}}, "no deformable convolutions"),
    ],
)
def test_what_this_project_does_not_have_is_named(sections, words):
    with pytest.raises(UserError, match=f"MODEL.*{words}"):
        segmenter_config(changed(**sections))


def test_an_original_configuration_tells_the_test_size():
    assert segmenter_view(
        {"INPUT": {"MIN_SIZE_TEST": 640, "MAX_SIZE_TEST": 2560}}
    ) == SegmenterView(short_side=640, long_side=2560)
    for without in ({}, {"INPUT": {"MIN_SIZE_TEST": 0, "MAX_SIZE_TEST": 2560}}):
        assert segmenter_view(without) == SegmenterView()
