"""The golden tensors of the original implementation, wherever `OVSEG_GOLDENS` says they are.

Nothing about a case stands in the tests: they run on whatever the folder describes.
"""

import json
import os
from functools import cache
from pathlib import Path

import numpy as np
import torch

FOLDER = Path(os.environ.get("OVSEG_GOLDENS", Path(__file__).parents[2] / "shared/reference"))
CLOSE = 1e-4 if torch.backends.cpu.get_cpu_capability() == "AVX512" else 1.5e-4
"""Largest absolute error of features, logits and maps: 1e-4 with the kernels that the goldens were
checked with. With AVX2's, logits of up to 67 differ from the stored ones by 1.09e-4 (Intel, MKL
strict) to 1.26e-4; the stored ones themselves are 1.14e-4 away from what float64 gives."""
LOSSES = 1e-5
"""Largest relative error of losses and gradients."""


@cache
def index(folder: Path) -> dict[str, dict]:
    """goldens.json: what each file holds. Empty without the folder."""
    file = folder / "goldens.json"
    return json.loads(file.read_text(encoding="utf-8")) if file.is_file() else {}


class Golden:
    """One file of goldens with its description (`about`); remembers which arrays were asked for."""

    def __init__(self, name: str, folder: Path) -> None:
        self.name, self.folder = name, folder
        self.about = index(folder)[name]
        with np.load(folder / f"{name}.npz") as file:
            self._arrays = dict(file)
        self._read: set[str] = set()

    def __getitem__(self, key: str) -> np.ndarray:
        self._read.add(key)
        return self._arrays[key]

    def __contains__(self, key: str) -> bool:
        return key in self._arrays

    def __iter__(self):
        return iter(self._arrays)

    def tensor(self, key: str) -> torch.Tensor:
        return torch.from_numpy(np.array(self[key]))

    def other(self, name: str) -> "Golden":
        """Another file of the same folder."""
        return Golden(name, self.folder)

    def unread(self) -> list[str]:
        """Arrays that nothing has asked for."""
        return [key for key in self._arrays if key not in self._read]


def assert_close(ours: torch.Tensor, golden: torch.Tensor, tolerance: float = CLOSE) -> None:
    """Same shape, and nowhere further apart than `tolerance`."""
    torch.testing.assert_close(ours.double(), golden.double(), atol=tolerance, rtol=0)
