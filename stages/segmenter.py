"""Stage `segmenter`: train MaskFormer on the closed set, or take a trained one.

    python -m stages.segmenter --dataset data/dataset --clip data/base_clip --out data/segmenter

On several GPUs: `torchrun --nproc_per_node 8 -m stages.segmenter ...`. Writes segmenter.json,
segmenter.safetensors, rejects.parquet, metrics.json (last losses, mask recall) and curves/; while
training, checkpoints/ from which a killed run goes on.
"""

import argparse
import json
import sys
from dataclasses import fields
from pathlib import Path

from detectron2.utils import comm

from pipeline.atomic import write_text
from pipeline.clip.store import load_clip
from pipeline.clip.text import class_features
from pipeline.data.dataset import read_dataset, read_split
from pipeline.params import TEMPLATES, load_params
from pipeline.progress import report
from pipeline.records import Reject, write_parquet
from pipeline.runtime import device, workers
from pipeline.segmenter.data import Augmentation
from pipeline.segmenter.distributed import process_group
from pipeline.segmenter.fit import ClosedSet, discard_checkpoints, fit, trained_classes
from pipeline.segmenter.matcher import LossWeights
from pipeline.segmenter.measure import Measure, TrueMasks, instances_file, measure_recall
from pipeline.segmenter.store import load_segmenter, save_segmenter
from pipeline.segmenter.train import Recipe, TrainingResult


def main(dataset_folder: Path, clip: Path, out: Path, params_file: Path) -> None:
    params = load_params(params_file, "segmenter")
    how = params.training.model_dump()
    dataset = read_dataset(dataset_folder)
    ids, names = trained_classes(dataset, how["classes"])
    with process_group(device()) as on:
        text = class_features(load_clip(clip, on), names, TEMPLATES[how["templates"]])
        if params.source == "checkpoint":
            segmenter, result = load_segmenter(params.checkpoint, on), TrainingResult({}, [])
        else:
            kinds = ("class", "mask", "dice", "no_object")
            how["weights"] = LossWeights(*(how[f"{kind}_weight"] for kind in kinds))
            how["short_side"] = (how["least_short_side"], how["most_short_side"])
            segmenter, result = fit(
                params.architecture,
                ClosedSet(dataset, read_split(dataset_folder, "train"), ids, names, text),
                Augmentation(**{f.name: how[f.name] for f in fields(Augmentation)}),
                how["count_ignored"],
                Recipe(**{f.name: how[f.name] for f in fields(Recipe) if f.name in how}),
                params.warm_start and Path(params.warm_start),
                out,
                on,
                loader_workers=workers() if on.type == "cuda" else 0,
            )
        if not comm.is_main_process():
            return
        save_segmenter(out, segmenter)
        write_parquet(out / "rejects.parquet", result.rejects, Reject)
        metrics = {"losses": result.losses, "rejected": len(result.rejects)}
        if (instances := instances_file(dataset.root)) is not None:
            val, truth = read_split(dataset_folder, "val"), TrueMasks(instances)
            measure = Measure(**params.measure.model_dump())
            metrics |= measure_recall(segmenter, text, dataset.root, val, truth, names, measure)
        write_text(out / "metrics.json", json.dumps(metrics, indent=1) + "\n")
        discard_checkpoints(out)
        report("segmenter: " + ", ".join(f"{k} {v}" for k, v in metrics.items() if k != "losses"))


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    for flag in ("dataset", "clip", "out"):
        parser.add_argument(f"--{flag}", type=Path, required=True)
    parser.add_argument("--params", type=Path, default=Path("params.yaml"))
    given = parser.parse_args()
    try:
        main(given.dataset, given.clip, given.out, given.params)
    except (ValueError, FileNotFoundError) as error:
        sys.exit(f"segmenter: {error}")
