"""The sine embedding of a place, worked by hand."""

import torch

from pipeline.maskformer.position import sine_position


def test_sine_positions_by_hand():
    position = sine_position(2, 3, 4, torch.device("cpu"))
    assert position.shape == (4, 2, 3)
    # phase of the second of three columns is 4 pi / 3; channels: sin y, cos y, sin x, cos x
    expected = torch.tensor(4 * torch.pi / 3)
    torch.testing.assert_close(position[2, :, 1], expected.sin().expand(2), atol=1e-5, rtol=0)
    torch.testing.assert_close(position[3, :, 1], expected.cos().expand(2), atol=1e-5, rtol=0)
    assert (position[:2, :, 0] == position[:2, :, 2]).all()
