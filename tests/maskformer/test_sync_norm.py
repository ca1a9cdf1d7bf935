import copy

import torch
import torch.distributed as dist
from torch import nn

from pipeline.maskformer.sync_norm import SyncedBatchNorm, synchronise_norms


def test_alone_it_is_batch_norm():
    """Outputs, gradients and running statistics; then the same in evaluation."""
    torch.manual_seed(0)
    plain = nn.Sequential(nn.BatchNorm2d(3), nn.GroupNorm(1, 3)).double()
    nn.init.uniform_(plain[0].weight), nn.init.uniform_(plain[0].bias)
    synced = nn.Sequential(nn.BatchNorm2d(3), nn.GroupNorm(1, 3)).double()
    synced.load_state_dict(plain.state_dict())
    synchronise_norms(synced)
    assert type(synced[0]) is SyncedBatchNorm and type(synced[1]) is nn.GroupNorm
    images = torch.randn(2, 3, 4, 5, dtype=torch.float64) * 3 + 100
    for model in (plain, synced):
        for _ in range(2):
            model(images).square().sum().backward()
    for (name, a), b in zip(plain.named_parameters(), synced.parameters(), strict=True):
        torch.testing.assert_close(a.grad, b.grad, msg=name)
    for key, value in plain.state_dict().items():
        torch.testing.assert_close(synced.state_dict()[key], value)
    torch.testing.assert_close(plain.eval()(images), synced.eval()(images))
    half = SyncedBatchNorm(3)(images.bfloat16())
    assert half.dtype == torch.bfloat16 and half.float().mean().abs() < 0.1


def test_under_nccl_it_is_torchs_own(monkeypatch):
    """The same parameters and buffers, and the same numbers in evaluation."""
    monkeypatch.setattr(dist, "is_initialized", lambda: True)
    monkeypatch.setattr(dist, "get_backend", lambda: "nccl")
    plain = nn.Sequential(nn.Sequential(nn.BatchNorm2d(3)), nn.GroupNorm(1, 3))
    plain(torch.randn(2, 3, 4, 5))
    synced = copy.deepcopy(plain)
    synchronise_norms(synced)
    assert type(synced[0][0]) is nn.SyncBatchNorm and type(synced[1]) is nn.GroupNorm
    assert synced.state_dict().keys() == plain.state_dict().keys()
    images = torch.randn(2, 3, 4, 5)
    torch.testing.assert_close(synced.eval()(images), plain.eval()(images))
