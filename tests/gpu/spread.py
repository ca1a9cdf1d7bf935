"""What the part "torchrun" starts in every process: `torchrun -m tests.gpu.spread FOLDER`."""

import json
import sys
from pathlib import Path

import torch
import torch.distributed as dist
from detectron2.utils import comm
from torch.nn.parallel import DistributedDataParallel

from pipeline.core.processes.distributed import process_group
from pipeline.core.processes.runtime import device
from pipeline.core.resume import Checkpoints
from pipeline.finetune.pair_set import PairSet
from pipeline.finetune.train import finetune
from pipeline.maskformer.maskformer import MaskFormer
from pipeline.maskformer.sync_norm import synchronise_norms
from pipeline.segmenter.data import TrainingSet
from pipeline.segmenter.train import train
from pipeline.segmenter.trainer import LossModel
from tests.clip.tiny import tiny_clip, write_pairs
from tests.segmenter.tiny import WEIGHTS, config, text, training, world
from tests.shipped import section

VIEW = training(max_short_side=70, colour=True)


def main(folder: Path) -> None:
    """Talk, take one step by DistributedDataParallel, and train both models as the stages do."""
    with process_group(device()) as on:
        rank, processes = dist.get_rank(), dist.get_world_size()
        if rank == 0:
            write_pairs(folder / "pairs", 48)
        comm.synchronize()
        told = [int(number) for number in comm.all_gather(str(rank))]
        dataset, records = world(folder / f"world-{rank}", 4)
        data = TrainingSet(dataset, records, [0, 1, 2], VIEW, 0, True)
        found = {
            "backend": dist.get_backend(),
            "processes": processes,
            "told": told,
            "gradients": gradients_apart(data, on),
            "fine-tuning": finetune(
                tiny_clip().to(on), PairSet(folder / "pairs"), RECIPE, folder / "clip"
            )["loss"],
            "segmenter": train(
                segmenter().to(on),
                data,
                text(),
                SEGMENTER,
                Checkpoints(folder / "segmenter", "run"),
            ).losses.get("total_loss", 0.0),  # the first process has them
        }
        if rank == 0:
            (folder / "found.json").write_text(json.dumps(found))


def segmenter() -> MaskFormer:
    torch.manual_seed(0)
    return MaskFormer(config(dropout=0.0))


def gradients_apart(data: TrainingSet, on: torch.device) -> float:
    """Of one step on the same pictures: with DistributedDataParallel and norms over all processes
    against alone, largest difference over the largest gradient."""
    samples = [data[i, i] for i in range(2)]
    gradients = []
    for spread in (False, True):
        model = LossModel(segmenter().to(on).train(), text().to(on), WEIGHTS, False)
        plain = model
        if spread:
            synchronise_norms(model)
            model = DistributedDataParallel(model, device_ids=[on] if on.type == "cuda" else None)
        sum(model(samples).values()).backward()
        gradients.append({n: p.grad.cpu() for n, p in plain.named_parameters()
                          if p.grad is not None})  # fmt: skip
    alone, together = gradients
    largest = max(float(value.abs().max()) for value in alone.values())
    return max(float((together[n] - alone[n]).abs().max()) for n in alone) / largest


RECIPE = section(
    "finetune.first", train="both", loss="unique_nouns", fill="mean", prompt_depth=2,
    learning_rate=1e-3,
    prompt_learning_rate=0.05, weight_decay=0.1, epochs=1.0, batch_size=16, warmup_steps=1,
    min_crop=0.9, bfloat16=False, seed=0,
)  # fmt: skip
SEGMENTER = training(batch_size=8)

if __name__ == "__main__":
    main(Path(sys.argv[1]))
