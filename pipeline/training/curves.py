"""Training curves: a history of points, written by dvclive for people and for `dvc plots`.

The history is part of a checkpoint, so that a resumed run writes the curves of an uninterrupted
one.
"""

from collections.abc import Mapping
from pathlib import Path
from statistics import fmean
from typing import Any

from dvclive import Live

Point = dict[str, float]
"""Values by name, "step" among them."""


class Curves:
    """The history of a run. folder: where dvclive writes, None for nowhere."""

    def __init__(self, folder: Path | None) -> None:
        self.folder = folder
        self.history: list[Point] = []
        self._window: list[Mapping[str, float]] = []

    def see(self, values: Mapping[str, float]) -> None:
        """Note the values of one step; every step has the same names."""
        self._window.append(values)

    def close(self, step: int) -> None:
        """Make the means of the steps seen since the last point one point, as train/NAME."""
        means = {
            f"train/{name}": fmean(seen[name] for seen in self._window) for name in self._window[0]
        }
        self._window = []
        self.add(step, means)

    def add(self, step: int, values: Mapping[str, float | None]) -> None:
        """Add a point; a value that is None is left out."""
        known = {name: value for name, value in values.items() if value is not None}
        self.history.append({"step": step, **known})

    def last(self, name: str) -> float | None:
        """Return the newest value of that name, None before there is one."""
        return next((point[name] for point in reversed(self.history) if name in point), None)

    def write(self) -> None:
        """Write the whole history as dvclive plots (TSV files) into the folder, if there is one."""
        if self.folder is None:
            return
        with Live(str(self.folder), save_dvc_exp=False, dvcyaml=False, report=None) as live:
            for point in self.history:
                live.step = int(point["step"])
                for name, value in point.items():
                    if name != "step":
                        live.log_metric(name, value)

    def state(self) -> dict[str, Any]:
        """Return all that `restore` needs."""
        return {"history": self.history, "window": self._window}

    def restore(self, state: Mapping[str, Any]) -> None:
        """Go on from a `state`."""
        self.history, self._window = list(state["history"]), list(state["window"])
