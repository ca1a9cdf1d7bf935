"""Anchored queries read the per-pixel embedding at their points, and only there."""

import pytest
import torch
from pydantic import ValidationError

from pipeline.segmenter.anchors import Anchors
from pipeline.segmenter.config import ResNetConfig, SegmenterConfig
from pipeline.segmenter.maskformer import MaskFormer


def config(**changes) -> SegmenterConfig:
    small = {
        "backbone": ResNetConfig(
            depth=18, stem="basic", stem_channels=32, res2_channels=32, bottleneck_channels=32,
            res5_multi_grid=None,
        ),
        "clip_dim": 16, "conv_dim": 32, "mask_dim": 32, "hidden_dim": 32, "heads": 4,
        "feedforward": 32, "decoder_layers": 2, "class_hidden": 32, "query_kind": "anchored",
        "queries": 4,
    }  # fmt: skip
    return SegmenterConfig(**(small | changes))


def test_each_anchor_reads_its_own_quarter():
    anchors = Anchors(config())
    with torch.no_grad():
        anchors.project.weight.copy_(torch.eye(32))
        anchors.project.bias.zero_()
    features = torch.zeros(1, 32, 8, 8)
    for row in range(2):
        for column in range(2):
            features[0, 0, 4 * row : 4 * row + 4, 4 * column : 4 * column + 4] = 2 * row + column
    start = anchors(features)  # (Q,B,C)
    assert start.shape == (4, 1, 32)
    assert start[:, 0, 0].tolist() == [0, 1, 2, 3]


def test_anchors_themselves_are_supervised():
    model = MaskFormer(config()).train()
    text = torch.nn.functional.normalize(torch.randn(3, 16), dim=-1)
    output = model([torch.rand(3, 64, 64) * 255], text)
    assert len(output.aux) == 2  # the anchors and the first of two decoder layers
    output.aux[0].pred_masks.sum().backward()
    assert model.sem_seg_head.predictor.anchors.project.weight.grad.abs().sum() > 0


def test_queries_must_form_a_square():
    with pytest.raises(ValidationError, match="queries = 20.*square"):
        config(queries=20)


def test_positions_differ():
    position = Anchors(config(queries=25)).position
    assert len(torch.unique(position, dim=0)) == 25
