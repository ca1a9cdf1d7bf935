"""The transformer decoder sees queries and memory as sets, and gives every layer's output."""

import pytest
import torch

from pipeline.maskformer.decoder import Decoder, DecoderLayer, Transformer

DIM = 8


def random(*shape: int) -> torch.Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(sum(shape)))


@torch.no_grad()
@pytest.mark.parametrize("pre_norm", [False, True])
def test_order_has_no_meaning_but_by_position(pre_norm):
    torch.manual_seed(0)
    decoder = Decoder(2, DIM, 2, 16, 0.0, pre_norm).eval()
    query, memory, position = random(3, 1, DIM), random(5, 1, DIM), random(5, 2, DIM)[:, :1]
    found = decoder(query, memory, position, None)[-1]
    places, cells = [2, 0, 1], [4, 2, 0, 1, 3]
    turned = decoder(query[places], memory[cells], position[cells], None)[-1]
    torch.testing.assert_close(turned, found[:, places], atol=1e-5, rtol=1e-5)
    moved = decoder(query, memory, position[cells], None)[-1]
    assert not torch.allclose(moved, found, atol=1e-3)


@torch.no_grad()
def test_the_norm_stands_after_each_step_or_before_it():
    torch.manual_seed(0)
    x, memory = 5 + 3 * random(3, 1, DIM), random(5, 1, DIM)
    none, place = torch.zeros(3, 1, DIM), torch.zeros(5, 1, DIM)
    post = DecoderLayer(DIM, 2, 16, 0.0, pre_norm=False)(x, none, memory, place)
    torch.testing.assert_close(post.mean(-1), torch.zeros(3, 1), atol=1e-5, rtol=0)
    pre = DecoderLayer(DIM, 2, 16, 0.0, pre_norm=True)
    for last in (pre.self_attn.out_proj, pre.multihead_attn.out_proj, pre.linear2):
        last.weight.zero_(), last.bias.zero_()
    assert torch.equal(pre(x, none, memory, place), x)  # nothing but the residual


@torch.no_grad()
def test_every_layer_gives_an_output_and_a_start_its_own_first():
    torch.manual_seed(0)
    transformer = Transformer(Decoder(3, DIM, 2, 16, 0.0, False)).eval()
    memory, position = random(2, DIM, 3, 4), random(2, DIM, 3, 4)
    query = random(6, 2, DIM)
    outputs = transformer(memory, query, position)
    assert [output.shape for output in outputs] == [(2, 6, DIM)] * 3
    started = transformer(memory, query, position, torch.zeros_like(query))
    assert len(started) == 4
    for expected, found in zip(outputs, started[1:], strict=True):
        assert torch.equal(expected, found)  # DETR's start is zeros
