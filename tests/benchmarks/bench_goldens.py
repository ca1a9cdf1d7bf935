"""How far float32 ends from the goldens, by kernel: the measurement behind `tests.goldens.allowed`.

    python -m tests.benchmarks.bench_goldens            # 5 minutes on two cores; the original's
    python -m tests.benchmarks.bench_goldens --own      # goldens, or our own reference's

Prints a table for docs/numerics.md. Kernels are chosen when a process starts, so each row is a
process of its own. In the row "our float64" our modules calculate in float64: what is left is the
error of the stored float32 numbers. The last row has no golden: the goldens' segmenters with the
entries of every weight shuffled by another seed, our float32 against our float64.
"""

import argparse
import copy
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from unittest import mock

import torch

from pipeline.core.program import set_up
from tests import goldens
from tests.golden_checks.all import check
from tests.golden_checks.original import load_original
from tests.goldens import FOLDER, OWN, Golden, index

AVX2 = {
    "ATEN_CPU_CAPABILITY": "avx2",
    "MKL_ENABLE_INSTRUCTIONS": "AVX2",
    "ONEDNN_MAX_CPU_ISA": "AVX2",
}
SSE = {"ATEN_CPU_CAPABILITY": "default", "MKL_CBWR": "COMPATIBLE", "ONEDNN_MAX_CPU_ISA": "SSE41"}
ROWS = {
    "as it comes": {},
    "MKL compatible": {"MKL_CBWR": "COMPATIBLE"},
    "AVX2 kernels": AVX2,
    "AVX2 kernels, MKL compatible": AVX2 | {"MKL_CBWR": "COMPATIBLE"},
    "SSE kernels, MKL compatible": SSE,
    "two threads": {"OMP_NUM_THREADS": "2"},
    "our float64": {"FLOAT64": "1"},
    "other seeds (32), our float32 to float64": {"SEEDS": "32"},
}
MAPS = ("sem_seg", "cliponly", "free")
FILES_OF_FLOAT32 = ("g2_region_preprocess", "c_regions")
"""They ask which pixels are above a threshold that float32 and float64 round differently."""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--own", action="store_true", help="those of tests/golden_data")
    parser.add_argument("--row", choices=ROWS, help=argparse.SUPPRESS)
    options = parser.parse_args()
    folder = OWN if options.own or not index(FOLDER) else FOLDER
    if options.row:
        print(json.dumps(measured(folder, ROWS[options.row])))
        return
    print(f"goldens in {folder}, {torch.backends.cpu.get_cpu_capability()}\n")
    print("| kernels | sums: of the largest | maps: absolute | losses, gradients: of the largest |")
    print("|---|---|---|---|")
    for row, variables in ROWS.items():
        command = [sys.executable, "-m", "tests.benchmarks.bench_goldens", "--row", row]
        answer = subprocess.run(
            command + ["--own"] * (folder == OWN),
            env={"OMP_NUM_THREADS": "1"} | os.environ | variables, check=True, capture_output=True,
        )  # fmt: skip
        worst = json.loads(answer.stdout.splitlines()[-1])
        cells = (
            f"{worst[kind][0]:.1e} ({worst[kind][1]})" if kind in worst else ""
            for kind in ("sums", "maps", "training")
        )
        print(f"| {row} | {' | '.join(cells)} |", flush=True)


def measured(folder, variables: dict[str, str]) -> dict[str, tuple[float, str]]:
    """Of every kind of tensor: the largest error and where it is."""
    if "SEEDS" in variables:
        return {"sums": other_seeds(folder, int(variables["SEEDS"]))}
    worst: dict[str, tuple[float, str]] = {}
    name = ""

    def noted(ours: torch.Tensor, golden: torch.Tensor, what: str = "") -> float:
        found = goldens_error(ours, golden)
        largest = golden.abs().max().item() if golden.numel() else 0.0
        kind = "maps" if any(word in what for word in MAPS) else "sums"
        if what.startswith("grad.") or "loss" in what:
            kind = "training"
        if kind != "maps" and largest:
            found /= largest
        worst[kind] = max(worst.get(kind, (0.0, "")), (found, f"{name} {what}"))
        return 0.0

    goldens_error = goldens.error
    with mock.patch.object(goldens, "error", noted):
        for name in index(folder):
            double = "FLOAT64" in variables and name not in FILES_OF_FLOAT32
            with in_float64() if double else mock.MagicMock():
                check(Golden(name, folder))
    return worst


@contextmanager
def in_float64() -> Iterator[None]:
    """Whatever our modules make, and turn to float32, is float64 here."""
    load_original.cache_clear()
    stored = Golden.tensor

    def doubled(golden: Golden, key: str) -> torch.Tensor:
        tensor = stored(golden, key)
        return tensor.double() if tensor.is_floating_point() else tensor

    torch.set_default_dtype(torch.float64)
    with (
        mock.patch.object(torch.Tensor, "float", torch.Tensor.double),
        mock.patch.object(Golden, "tensor", doubled),
    ):
        yield
    torch.set_default_dtype(torch.float32)
    load_original.cache_clear()


@torch.no_grad()
def other_seeds(folder, seeds: int) -> tuple[float, str]:
    """Class and mask logits of segmenters of other weights."""
    worst = (0.0, "")
    for name, about in index(folder).items():
        if "losses_raw" not in about:
            continue
        golden = Golden(name, folder)
        images = [golden.tensor(key) for key in golden if key.startswith("image")]
        original, clip = load_original(folder, about["weights"][0])
        text = torch.nn.functional.normalize(torch.randn(7, original.config.clip_dim), dim=-1)
        for seed in range(seeds):
            torch.manual_seed(seed)
            segmenter = copy.deepcopy(original)
            for weight in segmenter.parameters():
                weight.copy_(weight.flatten()[torch.randperm(weight.numel())].view_as(weight))
            ours = segmenter(images, text)
            with in_float64():
                exact = segmenter.double()([image.double() for image in images], text.double())
            for key in ("pred_logits", "pred_masks"):
                expected = getattr(exact, key)
                found = goldens.error(getattr(ours, key), expected) / expected.abs().max().item()
                worst = max(worst, (found, f"{about['weights'][0]} {key}, seed {seed}"))
    return worst


if __name__ == "__main__":
    set_up()
    main()
