"""Batch norm over the batch of all processes, so that training does not depend on their number.

Under NCCL that is torch's SyncBatchNorm. Under gloo (processes on CPUs) torch has none, and
detectron2's sums in the precision of its input: the one here sums in float64.
"""

import torch
import torch.distributed as dist
from fvcore.nn.distributed import differentiable_all_reduce
from torch import Tensor, nn


class SyncedBatchNorm(nn.BatchNorm2d):
    """`nn.BatchNorm2d` (same parameters and buffers) whose training statistics are over the
    pixels of all processes; in evaluation nothing differs."""

    def forward(self, images: Tensor) -> Tensor:
        """(B,C,H,W) -> the same shape and dtype; B, H and W may differ between processes."""
        if not self.training:
            return super().forward(images)
        values = images.double()
        pixels = values.new_tensor([values.numel() / values.shape[1]])
        sums = torch.cat([values.sum((0, 2, 3)), values.square().sum((0, 2, 3)), pixels])
        *totals, count = differentiable_all_reduce(sums).split([self.num_features] * 2 + [1])
        mean, square = (total / count for total in totals)
        variance = square - mean.square()
        kept = self.running_mean, self.running_var, self.num_batches_tracked
        running_mean, running_var, batches = kept
        assert running_mean is not None and running_var is not None and batches is not None
        assert self.momentum is not None, "a norm that keeps plain averages"
        with torch.no_grad():
            batches.add_(1)
            unbiased = variance * (count / (count - 1).clamp(min=1))
            running_mean.lerp_(mean.to(running_mean), self.momentum)
            running_var.lerp_(unbiased.to(running_var), self.momentum)
        scale = self.weight * (variance + self.eps).rsqrt()
        shift = self.bias - mean * scale
        shape = (1, -1, 1, 1)
        return (values * scale.view(shape) + shift.view(shape)).to(images.dtype)


def synchronise_norms(model: nn.Module) -> None:
    """Replace every `nn.BatchNorm2d` inside `model` by one over all processes, with the same
    parameters and buffers. Frozen and group norms stay: they use no statistics of the batch."""
    if dist.is_initialized() and dist.get_backend() == "nccl":
        nn.SyncBatchNorm.convert_sync_batchnorm(model)
        return
    for parent in list(model.modules()):
        for name, child in parent.named_children():
            if type(child) is nn.BatchNorm2d:
                synced = SyncedBatchNorm(child.num_features, child.eps, child.momentum)
                synced.weight, synced.bias = child.weight, child.bias
                for buffer in ("running_mean", "running_var", "num_batches_tracked"):
                    setattr(synced, buffer, getattr(child, buffer))
                setattr(parent, name, synced.train(child.training))
