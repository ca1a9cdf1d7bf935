"""Class and mask embeddings of every query, and the options of their decoder."""

import torch

from pipeline.maskformer.transformer_predictor import MLP, TransformerPredictor
from tests.maskformer.test_maskformer import model, picture
from tests.segmenter.tiny import config, text


def test_pre_norm_and_input_projection_are_options():
    network = model(pre_norm=True, enforce_input_proj=True, hidden_dim=128)
    assert network.sem_seg_head.predictor.input_proj.weight.shape == (128, 128, 1, 1)
    plain = model(hidden_dim=128)
    assert list(plain.sem_seg_head.predictor.input_proj.parameters()) == []
    network([picture(32, 32)], text())


@torch.no_grad()
def test_an_mlp_by_hand():
    mlp = MLP(2, 2, 1, 2)
    first, last = mlp.layers
    first.weight.copy_(torch.eye(2)), first.bias.copy_(torch.tensor([0.0, 1.0]))
    last.weight.copy_(torch.tensor([[2.0, 3.0]])), last.bias.fill_(-0.5)
    # ReLU between the layers, none behind the last: 2 * 0 + 3 * 3 - 0.5
    assert mlp(torch.tensor([-4.0, 2.0])).tolist() == [8.5]
    assert mlp(torch.tensor([-4.0, -2.0])).tolist() == [-0.5]


@torch.no_grad()
def test_masks_are_products_of_queries_and_pixels():
    predictor = TransformerPredictor(config(), memory_channels=32).eval()
    memory, pixels = torch.randn(1, 32, 2, 3), torch.randn(1, 24, 8, 12)
    once, twice = predictor(memory, pixels), predictor(memory, 2 * pixels)
    assert len(once) == 2  # one output per decoder layer
    for single, double in zip(once, twice, strict=True):
        assert single.pred_masks.shape == (1, 6, 8, 12)
        torch.testing.assert_close(double.pred_masks, 2 * single.pred_masks)
        assert torch.equal(double.class_embed, single.class_embed)
