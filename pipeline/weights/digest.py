"""A hash of all numbers in a model, to tell whether a training starts from the same one."""

import hashlib

import torch
from torch import nn

from pipeline.fingerprint import of_value


def of_weights(module: nn.Module) -> str:
    """Hash of the names, types, shapes and bytes of all parameters and buffers, trained or frozen,
    whatever device they are on."""
    digests = []
    for name, tensor in sorted(module.state_dict().items()):
        flat = tensor.detach().cpu().contiguous().reshape(-1).view(torch.uint8)
        digest = hashlib.sha256(flat.numpy()).hexdigest()
        digests.append([name, str(tensor.dtype), list(tensor.shape), digest])
    return of_value(digests)
