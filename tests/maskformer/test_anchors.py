"""Anchored queries read the per-pixel embedding at their points, and only there."""

import torch

from pipeline.maskformer.anchors import Anchors
from pipeline.maskformer.config import ResNetConfig, SegmenterConfig
from pipeline.maskformer.maskformer import MaskFormer
from pipeline.segmenter.criterion import losses
from pipeline.segmenter.matcher import Target, standing_on
from tests.segmenter.tiny import WEIGHTS


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


def test_an_anchor_answers_for_what_it_stands_on():
    square = torch.zeros(8, 8, dtype=torch.bool)
    square[:4, :4] = True
    ground = torch.zeros(8, 8, dtype=torch.bool)
    ground[4:] = True
    target = Target(torch.tensor([5, 2]), torch.stack([ground, square]))
    query, mask = standing_on(Anchors(config()).places, target)
    assert query.tolist() == [0, 2, 3]  # the upper right one stands on nothing labelled
    assert mask.tolist() == [1, 0, 0]
    nothing = Target(torch.zeros(0, dtype=torch.int64), torch.zeros(0, 8, 8, dtype=torch.bool))
    assert [len(part) for part in standing_on(Anchors(config()).places, nothing)] == [0, 0]


def test_places_are_the_middles_of_the_cells():
    places = Anchors(config()).places.tolist()
    assert places == [[0.25, 0.25], [0.75, 0.25], [0.25, 0.75], [0.75, 0.75]]  # x, y; row by row


def test_the_loss_of_the_anchors_looks_at_every_anchor():
    """One mask below two anchors: both must draw it, where matching would ask one."""
    masks = torch.zeros(1, 64, 64, dtype=torch.bool)
    masks[:, 32:] = True
    target = Target(torch.tensor([1]), masks)
    model = MaskFormer(config()).train()
    text = torch.nn.functional.normalize(torch.randn(3, 16), dim=-1)
    output = model([torch.rand(3, 64, 64) * 255], text)
    for layer in (output, *output.aux):
        layer.pred_masks.retain_grad()
    sum(losses(output, [target], WEIGHTS).values()).backward()
    asked = [
        int((layer.pred_masks.grad.abs().sum((2, 3)) > 0).sum()) for layer in (*output.aux, output)
    ]
    assert asked == [2, 1, 1]


def test_positions_differ():
    position = Anchors(config(queries=25)).position
    assert len(torch.unique(position, dim=0)) == 25
