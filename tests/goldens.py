"""Golden tensors: the original implementation's, wherever `OVSEG_GOLDENS` says they are, and those
of our own float64 reference, which come with the repository.

Nothing about a case stands in the tests: they run on whatever a folder describes.
"""

import json
import os
from functools import cache
from pathlib import Path

import numpy as np
import torch

FOLDER = Path(os.environ.get("OVSEG_GOLDENS", Path(__file__).parents[2] / "shared/reference"))
OWN = Path(__file__).parent / "golden_data"
"""Written by tests/reference/make.py."""
ABSENT = f"the original's goldens are not at hand: {FOLDER} has none (OVSEG_GOLDENS)"
ABSOLUTE, RELATIVE = 4e-5, 2.5e-5
"""What `allowed` adds up; its docstring says why these."""


@cache
def index(folder: Path) -> dict[str, dict]:
    """goldens.json: what each file holds. Empty without the folder."""
    file = folder / "goldens.json"
    return json.loads(file.read_text(encoding="utf-8")) if file.is_file() else {}


class Golden:
    """One file of goldens with its description (`about`); remembers which arrays were asked for.

    device: where its tensors and our models are while they are compared.
    """

    device = torch.device("cpu")

    def __init__(self, name: str, folder: Path) -> None:
        self.name, self.folder = name, folder
        self.about = index(folder)[name]
        with np.load(folder / f"{name}.npz") as file:
            self._arrays = dict(file)
        self._read: set[str] = set()
        self.left_out: set[str] = set()

    def __getitem__(self, key: str) -> np.ndarray:
        self._read.add(key)
        return self._arrays[key]

    def __contains__(self, key: str) -> bool:
        return key in self._arrays

    def __iter__(self):
        return iter(self._arrays)

    def tensor(self, key: str) -> torch.Tensor:
        return torch.from_numpy(np.array(self[key])).to(self.device)

    def other(self, name: str) -> "Golden":
        """Another file of the same folder."""
        return Golden(name, self.folder)

    def leave_out(self, prefix: str) -> None:
        """Arrays of something that the original can do, but is never configured to, and ours
        does not."""
        self.left_out |= {key for key in self._arrays if key.startswith(prefix)}

    def unread(self) -> list[str]:
        """Arrays that nothing has asked for."""
        return [key for key in self._arrays if key not in self._read | self.left_out]


def allowed(golden: torch.Tensor, unit: bool = True) -> float:
    """How far from `golden` float32 may end, on any device: the project's one tolerance.

    `RELATIVE` of the tensor's largest magnitude, plus `ABSOLUTE` for numbers of unit size.

    Sums of products carry rounding errors in proportion to their largest terms, so an error is
    measured by the largest number of its tensor: a logit of 3 beside one of 67 is as far off as the
    67. Probabilities and semantic maps are no such sums: they carry the errors of the logits behind
    them, which the exponent makes relative ones, so they get an absolute share, as they are of unit
    size whatever their largest number. Losses and gradients have no unit (`unit` False).

    Both constants are about three times the largest error seen. Our float32 was compared with the
    original's float32, and the original's with our modules in float64, on kernels for AVX-512, AVX2
    and SSE, MKL strict and compatible: 4.2e-6 of the largest magnitude in features and logits,
    6.7e-6 in losses and gradients, 1.4e-5 in maps. Breaking a convention of the method costs 30
    times what is allowed and more: tests/test_tolerance.py breaks each of them.
    docs/numerics.md has the table; python -m tests.benchmarks.bench_goldens measures it.
    """
    largest = golden.abs().max().item() if golden.numel() else 0.0
    return RELATIVE * largest + ABSOLUTE * unit


def error(ours: torch.Tensor, golden: torch.Tensor, what: str = "") -> float:
    """The largest difference, in float64; NaN where either holds one, 0 of nothing. what: for
    those who put another function here to see every comparison."""
    if not golden.numel():
        return 0.0
    return (ours.detach().cpu().double() - golden.detach().cpu().double()).abs().max().item()


def assert_close(
    ours: torch.Tensor, golden: torch.Tensor, what: str = "", unit: bool = True
) -> None:
    """Same shape, and nowhere further apart than `allowed`. what: names it in the message."""
    assert ours.shape == golden.shape, f"{what}: {tuple(ours.shape)}, not {tuple(golden.shape)}"
    found, most = error(ours, golden, what), allowed(golden, unit)
    assert found <= most, f"{what}: {found:.2e} from the golden, allowed are {most:.2e}"


def assert_numbers_close(ours: dict[str, float], golden: dict[str, float], what: str = "") -> None:
    """Losses: the same keys, and each number close by the same rule, on its own."""
    assert ours.keys() == golden.keys(), what
    for key, value in golden.items():
        pair = (torch.tensor(number, dtype=torch.float64) for number in (ours[key], value))
        assert_close(*pair, f"{what} {key}", unit=False)


def at_hand() -> str:
    """Which goldens this machine has: one line for the end of a test run."""
    own = f"{len(index(OWN))} files of our own float64 reference"
    if not index(FOLDER):
        return f"{own}; {ABSENT}"
    return f"{own}, {len(index(FOLDER))} of the original implementation in {FOLDER}"
