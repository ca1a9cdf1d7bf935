"""A whole run: what is resumed and what is not, the split over processes."""

import json
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

from pipeline.maskformer.maskformer import MaskFormer
from pipeline.maskformer.store import save_segmenter
from pipeline.segmenter import fit as module
from pipeline.segmenter.fit import ClosedSet, fit, trained_classes
from pipeline.segmenter.params import SegmenterTraining
from tests.segmenter.tiny import config, text, training, world

CPU = torch.device("cpu")


def run(folder: Path, how: SegmenterTraining, start_from: Path | None = None) -> MaskFormer:
    return run_with_losses(folder, how, start_from)[0]


def run_with_losses(
    folder: Path, how: SegmenterTraining, start_from: Path | None = None
) -> tuple[MaskFormer, dict[str, float]]:
    dataset, records = world(folder / "world", 4)
    closed = ClosedSet(dataset, records, [0, 1, 2], dataset.classes, text())
    model = config(dropout=0.0)
    places = (folder / "checkpoints", folder / "curves")
    segmenter, result = fit(model, closed, how, start_from, *places, CPU, 0)
    return segmenter, result.losses


def test_a_training_that_diverges_is_told(tmp_path):
    wild = training(steps=8, learning_rate=1e30)
    with pytest.raises(ValueError, match="lower segmenter.training.learning_rate"):
        run(tmp_path, wild)


def test_only_the_very_same_run_is_resumed(tmp_path):
    first = run(tmp_path, training()).state_dict()
    checkpoints = tmp_path / "checkpoints"
    [folder] = checkpoints.iterdir()
    again = run(tmp_path, training()).state_dict()  # finds its last checkpoint
    assert all(torch.equal(first[key], again[key]) for key in first)
    assert list(checkpoints.iterdir()) == [folder]
    run(tmp_path, training(seed=1))
    [other] = checkpoints.iterdir()
    assert other != folder


OTHER_TRAINING = {
    "steps": 3, "batch_size": 1, "learning_rate": 2e-3, "backbone_multiplier": 0.1,
    "weight_decay": 0.1, "warmup_steps": 2, "max_grad_norm": 0.1, "seed": 1, "bfloat16": True,
    "class_weight": 2.0, "mask_weight": 2.0, "dice_weight": 2.0, "no_object_weight": 0.2,
    "crop": 32, "min_short_side": 63, "max_short_side": 65, "long_side": 100, "flip": False,
    "colour": True, "single_category_max_area": 0.5, "ignored_as_background": False,
    "classes": "seen", "templates": "bare",
}  # fmt: skip
"""Another value of everything that decides what comes out."""


def test_a_run_of_any_other_kind_has_a_checkpoint_folder_of_its_own(tmp_path, monkeypatch):
    assert SegmenterTraining.model_fields.keys() == OTHER_TRAINING.keys()
    monkeypatch.setattr(module, "train", lambda *given: given[4].folder)  # of its checkpoints
    dataset, records = world(tmp_path / "world", 4)
    closed = ClosedSet(dataset, records, [0, 1, 2], dataset.classes, text())
    save_segmenter(tmp_path / "source", MaskFormer(config(dropout=0.0)))
    start = tmp_path / "source/segmenter.safetensors"

    def folder(
        model=config(dropout=0.0), closed=closed, how=training(), start_from=None,  # noqa: B008
    ) -> Path:  # fmt: skip
        out = tmp_path / "out"
        places = (out / "checkpoints", out / "curves")
        return fit(model, closed, how, start_from, *places, CPU, 0)[1]

    first = folder()
    assert folder() == first
    others = [folder(how=training(**{k: v})) for k, v in OTHER_TRAINING.items()]
    others += [folder(start_from=start), folder(config(dropout=0.1))]
    for changes in (
        {"records": records[:3]},
        {"class_ids": [0, 1, 3]},
        {"text_features": text() * 0.5},
        {"dataset": replace(dataset, label_map={0: 1})},
    ):
        others.append(folder(closed=replace(closed, **changes)))
    assert len({first, *others}) == 1 + len(others)


def test_a_warm_start_begins_with_the_given_weights(tmp_path):
    source = MaskFormer(config(dropout=0.0))
    save_segmenter(tmp_path / "source", source)
    weights = tmp_path / "source/segmenter.safetensors"
    warm = run(tmp_path, training(steps=0), start_from=weights)
    assert all(
        torch.equal(a, b) for a, b in zip(source.parameters(), warm.parameters(), strict=True)
    )


def test_closed_classes_or_only_the_seen_ones(tmp_path):
    dataset, _ = world(tmp_path, 1)
    assert trained_classes(dataset, "all") == ([0, 1, 2], ["red", "blue", "grass"])
    assert trained_classes(dataset, "seen") == ([0, 2], ["red", "grass"])


def test_a_data_set_without_classes_cannot_be_learned(tmp_path):
    dataset, records = world(tmp_path, 1)
    for classes, reason in (([], "no classes.*segmenter.source"), (["sky"], "none of its 1 class")):
        bare = replace(dataset, classes=classes, seen=[False] * len(classes))
        ids, names = trained_classes(bare, "seen")
        assert (ids, names) == ([], [])
        closed = ClosedSet(bare, records, ids, names, text()[:0])
        with pytest.raises(ValueError, match=reason):
            fit(config(), closed, training(), None, tmp_path, tmp_path, CPU, 0)


SCRIPT = """
import json, sys, torch
from pathlib import Path
from pipeline.core.processes.distributed import process_group
from pipeline.maskformer.store import save_segmenter
from detectron2.utils import comm
from tests.segmenter.test_fit import run_with_losses
from tests.segmenter.tiny import training
torch.set_num_threads(1)
out = Path(sys.argv[1])
with process_group(torch.device("cpu")):
    assert comm.get_world_size() == 2
    model, losses = run_with_losses(out / str(comm.get_rank()), training(steps=1))
    save_segmenter(out / f"rank{comm.get_rank()}", model)
    if comm.is_main_process():
        (out / "losses.json").write_text(json.dumps(losses))
"""


def test_two_processes_do_what_one_does(tmp_path):
    """The same losses, batch statistics and (both of them) weights: norms see all pictures, losses
    are divided by what all processes have together."""
    script = tmp_path / "script.py"
    script.write_text(SCRIPT)
    command = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc_per_node=2"]
    done = subprocess.run(
        [*command, str(script), str(tmp_path)],
        cwd=Path(__file__).parents[2],
        env={"PYTHONPATH": ".", "PATH": "/usr/bin:/bin", "OMP_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr[-2000:]
    first, second = (load_file(tmp_path / f"rank{i}/segmenter.safetensors") for i in range(2))
    assert all(torch.equal(value, second[key]) for key, value in first.items())
    alone, losses = run_with_losses(tmp_path / "alone", training(steps=1))
    for name, value in json.loads((tmp_path / "losses.json").read_text()).items():
        assert value == pytest.approx(losses[name], rel=1e-5), name
    torch.manual_seed(0)
    untrained = MaskFormer(config(dropout=0.0)).state_dict()
    for key, value in alone.state_dict().items():
        if "running_" in key or key.endswith("num_batches_tracked"):
            torch.testing.assert_close(first[key], value, rtol=1e-5, atol=1e-6)
        else:  # AdamW's first step is the sign of the gradient, of which the smallest are noise
            moved, wanted = first[key] - untrained[key], value - untrained[key]
            assert (moved - wanted).abs().mean() <= 0.02 * wanted.abs().mean() + 1e-9, key
