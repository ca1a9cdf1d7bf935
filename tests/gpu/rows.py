"""What a part of the check finds: rows of one table."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import torch
from torch import Tensor

State = Literal["ok", "failed", "skipped", "measured"]


@dataclass(frozen=True)
class Row:
    """One line. limit: the largest `value` that is right, None where nothing is required."""

    name: str
    value: float | None
    unit: str
    limit: float | None
    state: State
    reason: str = ""


@dataclass(frozen=True)
class Setting:
    """What the parts run on. work: a folder for what they write. goldens: folders of goldens.

    small: sizes for a test on one core; the numbers of a real run are taken with False.
    """

    device: torch.device
    work: Path
    goldens: tuple[Path, ...] = ()
    small: bool = False

    @property
    def cuda(self) -> bool:
        return self.device.type == "cuda"

    @property
    def pretended(self) -> bool:
        """The device is that of tests/gpu/pretend.py, which has no kernels of its own."""
        return self.device.type not in ("cpu", "cuda")

    def wait(self) -> None:
        """Until the device has done all that was asked of it."""
        if self.cuda:
            torch.cuda.synchronize(self.device)


@dataclass(frozen=True)
class Part:
    """A part of the check: its rows, one by one, and the seconds that it may take on one modern
    card. core: it belongs to those that together take four minutes."""

    rows: Callable[[Setting], Iterator[Row]]
    seconds: int
    core: bool


def within(name: str, value: float, limit: float, unit: str = "", reason: str = "") -> Row:
    """A check: right up to `limit`. NaN is above every limit."""
    return Row(name, value, unit, limit, "ok" if value <= limit else "failed", reason)


def holds(name: str, true: bool, reason: str = "") -> Row:
    """A check that is right or not; `reason` says what was found where it is not."""
    return Row(name, None, "", None, "ok" if true else "failed", "" if true else reason)


def measured(name: str, value: float, unit: str, reason: str = "") -> Row:
    """A number to be told, right whatever it is."""
    return Row(name, value, unit, None, "measured", reason)


def skipped(name: str, reason: str) -> Row:
    return Row(name, None, "", None, "skipped", reason)


def apart(ours: Tensor, reference: Tensor) -> float:
    """Largest difference over the largest value of the reference; NaN or infinite where a number
    is. Both empty: 0."""
    ours, reference = ours.detach().cpu().double(), reference.detach().cpu().double()
    assert ours.shape == reference.shape, (ours.shape, reference.shape)
    if not reference.numel():
        return 0.0
    scale = reference.abs().max().clamp(min=torch.finfo(torch.float32).tiny)
    return float((ours - reference).abs().max() / scale)
