"""Checkpoints that a killed training goes on from: written whole, verified when they are read.

    FOLDER/<identity>/step-00000500.pt    weights and state after 500 steps, by torch.save
    FOLDER/<identity>/last.json           {"file": ..., "sha256": ...}, written after the file

The identity tells runs apart: only the very same run is resumed. FOLDER (data/checkpoints/STAGE) is
not a DVC output. The newest checkpoint stays when the training is done, so that the result can be
restored if DVC's cache turns out to be full; the stage's next run with another identity removes it.
"""

import json
import pickle
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
import torch.distributed as dist
from torch import Tensor

from pipeline.core.files.atomic import replacing, write_text
from pipeline.core.files.lock import only_writer
from pipeline.core.fingerprint import of_file
from pipeline.core.progress import report

LAST = "last.json"
OURS = ("step-*.pt", LAST, ".step-*.tmp", f".{LAST}.*")
UNREADABLE = (
    ValueError, KeyError, TypeError, AttributeError, RuntimeError, EOFError, FileNotFoundError,
    pickle.UnpicklingError,
)  # fmt: skip
"""What reading a damaged checkpoint may raise: of json, of torch.load, of looking into it."""


@dataclass(frozen=True)
class Checkpoint:
    """step: steps done; weights: by name, on the CPU; state: of everything else (optimiser ...)."""

    step: int
    weights: dict[str, Tensor]
    state: dict[str, Any]


class Checkpoints:
    """The checkpoints of one run in `folder`, which is its stage's alone."""

    def __init__(self, folder: Path, identity: str) -> None:
        self.folder = folder / identity

    def save(self, step: int, weights: Mapping[str, Tensor], state: Mapping[str, Any]) -> None:
        """Write a checkpoint, then remove all others of the stage. One process of a run does."""
        path = self.folder / f"step-{step:08d}.pt"
        content = {"step": step, "weights": {n: w.detach() for n, w in weights.items()}}
        with replacing(path) as temporary:
            with open(temporary, "wb") as file:  # a full disk is an OSError, torch's own is not
                torch.save(content | {"state": dict(state)}, file)
            digest = of_file(temporary)
        last = {"file": path.name, "sha256": digest}
        write_text(self.folder / LAST, json.dumps(last) + "\n")
        self._remove_all_but({path, self.folder / LAST})

    def load(self, weights: Mapping[str, Tensor]) -> Checkpoint | None:
        """Return the newest checkpoint, or None to start from the beginning.

        weights: those that the training will fill; names and shapes must be equal. A checkpoint
        that is damaged, or that not all processes of the training can read, is not used and
        reported in one line. Removes the checkpoints of other runs.
        """
        try:
            found, damage = self._read(weights), None
        except UNREADABLE as error:
            found, damage = None, " ".join(str(error).split()) or type(error).__name__
        steps = _of_all(found.step if found else 0)
        if len(set(steps)) > 1:
            damage = damage or f"the training processes find steps {steps} there"
            found = None
        if _first():
            if damage is not None:
                report(
                    f"{self.folder}: no usable checkpoint ({damage:.150}); the training starts "
                    "again from its beginning"
                )
            self._remove_all_but(set(self.folder.glob("*")) if found else set())
        return found

    def _read(self, weights: Mapping[str, Tensor]) -> Checkpoint | None:
        if not (self.folder / LAST).exists():
            return None
        last = json.loads((self.folder / LAST).read_text(encoding="utf-8"))
        path = self.folder / Path(last["file"]).name
        if of_file(path) != last["sha256"]:
            raise ValueError(f"{path.name} is cut short or altered")
        content = torch.load(path, map_location="cpu", weights_only=True)
        found = Checkpoint(content["step"], content["weights"], content["state"])
        if _shapes(found.weights) != _shapes(weights):
            raise ValueError(f"{path.name} has other weights")
        return found

    def _remove_all_but(self, kept: set[Path]) -> None:
        """Remove the checkpoints of this stage that are not `kept`, and nothing else."""
        for folder in [path for path in self.folder.parent.glob("*") if path.is_dir()]:
            ours = [path for pattern in OURS for path in folder.glob(pattern)]
            for path in ours:
                if path not in kept:
                    path.unlink()
            if ours and not any(folder.iterdir()):
                folder.rmdir()


@contextmanager
def alone(folder: Path) -> Iterator[None]:
    """Keep the checkpoints of a stage for one training at a time: another, with another `--out`,
    would remove them. UserError if one is running. Of several processes the first one locks."""
    if _first():
        with only_writer(folder):
            yield
    else:
        yield


def _shapes(weights: Mapping[str, Tensor]) -> dict[str, torch.Size]:
    return {name: tensor.shape for name, tensor in weights.items()}


def _first() -> bool:
    return not dist.is_initialized() or dist.get_rank() == 0


def _of_all(step: int) -> list[int]:
    """Return the step that each process of the training has found; waits for all of them."""
    if not dist.is_initialized():
        return [step]
    steps = [0] * dist.get_world_size()
    dist.all_gather_object(steps, step)
    return steps
