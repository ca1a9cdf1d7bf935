"""Memory does not grow with the number of pictures: ten times as many, the same peak."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.faults.many_pictures import make_folder

pytestmark = [
    pytest.mark.timeout(
        3600
    ),  # all stages are measured before the first test; a minute or two each
    pytest.mark.skipif(
        not Path("/proc/self/status").is_file(), reason="reads memory as Linux has it"
    ),
]
ROOT = Path(__file__).resolve().parents[2]
FEW, MANY = 1_000, 10_000
BOUND_KIB = 5
"""Greatest growth a picture: its entry in the list of pictures, with paths, size and captions, and
where its records are. Measured: 2.0 for nouns and proposals, 3.8 for pairs, above 1.0 GiB of
libraries and models. One decoded mask of a 640 x 480 picture would be 300."""


def peak(stage: str, folder: Path) -> int:
    """KiB of memory that the stage took at most, alone in a process."""
    environment = {"OVSEG_WORKERS": "1", "OVSEG_DEVICE": "cpu", "OMP_NUM_THREADS": "1"}
    done = subprocess.run(
        [sys.executable, "-m", "tests.faults.many_pictures", stage, str(folder)],
        cwd=ROOT, env=os.environ | environment, capture_output=True, text=True,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr[-3000:]
    return int(done.stdout.splitlines()[-1])


@pytest.fixture(scope="module")
def peaks(tmp_path_factory) -> dict[str, list[int]]:
    """Peaks with few and with many pictures, by stage."""
    found: dict[str, list[int]] = {"nouns": [], "proposals": [], "pairs": []}
    for pictures in (FEW, MANY):
        folder = tmp_path_factory.mktemp(f"pictures-{pictures}")
        make_folder(folder, pictures)
        for stage in found:
            found[stage].append(peak(stage, folder))
    print(f"peak KiB with {FEW} and {MANY} pictures: {found}")
    return found


@pytest.mark.parametrize("stage", ("nouns", "proposals", "pairs"))
def test_memory_is_flat_in_the_number_of_pictures(peaks, stage):
    few, many = peaks[stage]
    assert (many - few) / (MANY - FEW) < BOUND_KIB
