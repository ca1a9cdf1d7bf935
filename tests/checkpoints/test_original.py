"""The original's yaml configurations: translated, or refused in one line."""

from copy import deepcopy

import pytest
import torch

from pipeline.checkpoints.architecture import PUBLISHED
from pipeline.checkpoints.import_ import import_checkpoint
from pipeline.checkpoints.original import segmenter_config
from pipeline.core.errors import UserError
from pipeline.weights.read import read_tensors
from tests.goldens import OWN, index

SWIN = index(OWN)["weights_both_tiny"]["config"]
R101C = {
    "DEPTH": 101, "STEM_TYPE": "deeplab", "STEM_OUT_CHANNELS": 128, "RES2_OUT_CHANNELS": 256,
    "WIDTH_PER_GROUP": 64, "NUM_GROUPS": 1, "NORM": "FrozenBN", "STRIDE_IN_1X1": False,
    "RES4_DILATION": 1, "RES5_DILATION": 1, "RES5_MULTI_GRID": [1, 2, 4],
    "DEFORM_ON_PER_STAGE": [False] * 4,
}  # fmt: skip
BACKBONE = {"NAME": "build_resnet_deeplab_backbone", "FREEZE_AT": 0}
RESNET = {"MODEL": SWIN["MODEL"] | {"BACKBONE": BACKBONE, "RESNETS": R101C}}


def test_with_and_without_the_outer_key():
    assert segmenter_config(SWIN) == segmenter_config(SWIN["MODEL"])
    assert segmenter_config(SWIN).backbone.kind == "swin"
    assert segmenter_config(RESNET).backbone == PUBLISHED["R101c"].backbone


@pytest.mark.parametrize(
    "config, place, value, message",
    [
        (SWIN, "MASK_FORMER.NHEADS", "four", 'heads = "four": Input should be a valid integer'),
        (SWIN, "MASK_FORMER.NHEADS", 5, "heads = 5 does not divide hidden_dim"),
        (SWIN, "SWIN.DEPTHS", [2, 2], "depths[2]: Field required"),
        (RESNET, "RESNETS.DEPTH", 19, "depth = 19: Input should be 18, 34, 50, 101 or 152"),
        (RESNET, "BACKBONE.NAME", "vit", "MODEL.BACKBONE.NAME = 'vit': this project has D2Swin"),
        (RESNET, "SEM_SEG_HEAD", 5, "its yaml configuration is not detectron2's: 'int' object"),
        (RESNET, "SEM_SEG_HEAD", {}, "its yaml configuration has no 'IN_FEATURES'"),
    ],
)
def test_what_is_wrong_in_it_is_one_line(tmp_path, config, place, value, message):
    content = deepcopy(config)
    node, *inside = [content["MODEL"], *place.split(".")]
    for key in inside[:-1]:
        node = node[key]
    node[inside[-1]] = value
    path = tmp_path / "model.pth"
    torch.save({"model": {"sem_seg_head.predictor.query_embed.weight": torch.zeros(2, 2)}}, path)
    with pytest.raises(UserError) as error:
        import_checkpoint(read_tensors(path), path, architecture=content)
    assert str(error.value).startswith(f"{path}: {message}"), str(error.value)
    assert "\n" not in str(error.value)
