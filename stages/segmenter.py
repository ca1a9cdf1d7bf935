"""Stage `segmenter`: train MaskFormer on the closed set, or take a trained one.

    python -m stages.segmenter --dataset data/dataset --clip data/base_clip \\
        --out data/segmenter --metrics data/metrics/segmenter.json

Trains on all visible GPUs (pipeline/core/processes/distributed.py). Writes a segmenter (see
pipeline/maskformer/store.py), rejects.parquet, curves/ and the metrics (last losses, mask recall);
beside the outputs, under `checkpoints`, what a killed run goes on from (pipeline/core/resume.py).
"""

import json
import shutil
from pathlib import Path

from detectron2.utils import comm

from pipeline.checkpoints.load import load_or_import_segmenter
from pipeline.clip.store import load_clip
from pipeline.clip.templates import TEMPLATES
from pipeline.clip.text import class_features
from pipeline.clip.view import SegmenterView
from pipeline.core.files.atomic import write_text
from pipeline.core.files.places import OutFile, OutFolder
from pipeline.core.processes.distributed import loader_workers, process_group, start_all
from pipeline.core.processes.runtime import device
from pipeline.core.progress import report
from pipeline.core.records import Reject, write_parquet
from pipeline.core.resume import alone
from pipeline.core.stage import run_stage
from pipeline.data.dataset import read_dataset, read_split
from pipeline.data.instances import TrueMasks, instances_file
from pipeline.maskformer.store import save_segmenter
from pipeline.maskformer.trained_classes import TrainedClasses
from pipeline.params.sections import load_params
from pipeline.segmenter.fit import ClosedSet, fit, trained_classes
from pipeline.segmenter.measure import measure_recall
from pipeline.segmenter.params import from_scratch
from pipeline.segmenter.train import TrainingResult


def main(
    dataset: Path,
    clip: Path,
    out: OutFolder,
    metrics: OutFile,
    params: Path = Path("params.yaml"),
    pretrain: bool = False,
    checkpoints: Path = Path("data/checkpoints"),
) -> None:
    """Train MaskFormer on the closed set, or take a trained one."""
    settings = load_params(params, "segmenter")
    if pretrain:
        settings = from_scratch(settings, load_params(params, "pretrain_segmenter"))
    training, measure = settings.training, settings.measure
    templates = TEMPLATES[training.templates]
    world = read_dataset(dataset)
    ids, names = trained_classes(world, training.classes)
    saved = checkpoints / ("pretrain_segmenter" if pretrain else "segmenter")
    with process_group(device()) as on, alone(saved):
        text = class_features(load_clip(clip, on), names, templates)
        if settings.source == "checkpoint":
            segmenter = load_or_import_segmenter(
                settings.checkpoint, on, text.shape[1], settings.architecture
            )
            result = TrainingResult({}, [])
            shutil.rmtree(out / "curves", ignore_errors=True)  # of a training before
        else:
            segmenter, result = fit(
                settings.architecture,
                ClosedSet(world, read_split(dataset, "train"), ids, names, text),
                training,
                settings.warm_start and Path(settings.warm_start),
                saved,
                out / "curves",
                on,
                loader_workers(on),
            )
            segmenter.view = SegmenterView(templates, measure.short_side, measure.long_side)
            segmenter.trained = TrainedClasses(tuple(names), text.cpu())
        if not comm.is_main_process():
            return
        save_segmenter(out, segmenter)
        recall, rejects = {}, list(result.rejects)
        if (instances := instances_file(world.root)) is not None:
            val, truth = read_split(dataset, "val"), TrueMasks(instances)
            recall = measure_recall(segmenter, world.root, val, truth, names, measure, rejects)
        write_parquet(out / "rejects.parquet", rejects, Reject)
        counts = {"losses": result.losses, "rejected": len(rejects)} | recall
        write_text(metrics, json.dumps(counts, indent=1) + "\n")
        shutil.rmtree(out / "checkpoints", ignore_errors=True)  # where they lay in earlier versions
        shown = {k: f"{v:.3f}" if isinstance(v, float) else v for k, v in counts.items()}
        report("segmenter: " + ", ".join(f"{k} {v}" for k, v in shown.items() if k != "losses"))


if __name__ == "__main__":
    run_stage(main, first=start_all)
