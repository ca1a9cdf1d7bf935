"""Training on several devices: the process group that torchrun asks for.

    torchrun --nproc_per_node 8 -m stages.segmenter --dataset ... --clip ... --out ...

The global batch is fixed by the parameters and split over the processes.
"""

from collections.abc import Iterator
from contextlib import contextmanager

import torch
import torch.distributed as dist


@contextmanager
def process_group(device: torch.device) -> Iterator[torch.device]:
    """Join the group when started by torchrun, and leave it again; otherwise do nothing.

    Gives the device of this process: of several GPUs the one with its local rank.
    """
    if not dist.is_torchelastic_launched() or dist.is_initialized():
        yield device
        return
    if device.type == "cuda":
        device = torch.device("cuda", dist.get_node_local_rank())
        torch.cuda.set_device(device)
    dist.init_process_group("nccl" if device.type == "cuda" else "gloo")
    try:
        yield device
    finally:
        dist.destroy_process_group()
