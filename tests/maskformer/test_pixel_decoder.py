"""Every level is added to the coarser one, enlarged by nearest neighbours."""

import torch
from detectron2.layers import ShapeSpec
from torch import nn

from pipeline.maskformer.config import FEATURES
from pipeline.maskformer.pixel_decoder import GroupNorm, PixelDecoder


def pixel_decoder() -> PixelDecoder:
    shapes = {name: ShapeSpec(channels=4 * 2**i) for i, name in enumerate(FEATURES)}
    return PixelDecoder(shapes, conv_dim=32, mask_dim=5)


@torch.no_grad()
def test_the_sum_of_the_levels_by_hand():
    """Without its convolutions, and with sides that do not divide each other."""
    decoder = pixel_decoder()
    for name, _ in list(decoder.named_children()):
        setattr(decoder, name, nn.Identity())
    coarse = torch.tensor([[1.0, 2.0], [3.0, 4.0]])[None, None]
    features = {
        "res2": torch.full((1, 1, 11, 11), 1000.0),
        "res3": torch.full((1, 1, 6, 6), 100.0),
        "res4": torch.full((1, 1, 3, 3), 10.0),
        "res5": coarse,
    }
    found = decoder(features)[0, 0]
    assert found.shape == (11, 11)
    # the middle row and column of three take the first of two, then 4 of 6 and 8 of 11 are theirs
    expected = coarse[0, 0].repeat_interleave(torch.tensor([8, 3]), 0)
    expected = expected.repeat_interleave(torch.tensor([8, 3]), 1) + 1110
    assert found.tolist() == expected.tolist()


@torch.no_grad()
def test_the_embedding_has_the_stride_of_the_finest_feature():
    sides = (16, 8, 4, 2)
    features = {
        name: torch.randn(2, 4 * 2**i, side, side)
        for i, (name, side) in enumerate(zip(FEATURES, sides, strict=True))
    }
    assert pixel_decoder()(features).shape == (2, 5, 16, 16)


def test_a_map_of_one_cell_can_be_normed():
    norm = GroupNorm(32, 32)
    nn.init.uniform_(norm.bias)
    found = norm(torch.randn(2, 32, 1, 1))  # torch's own refuses it in training
    expected = norm.bias.view(1, 32, 1, 1).expand(2, -1, -1, -1)
    torch.testing.assert_close(found, expected, atol=1e-3, rtol=0)
