"""Large pictures through the miniature: at most 3 GiB, labels at the picture's size.

Beside the quick tests, for their time: some two minutes of a core.
"""

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from pipeline.clip.view import MAX_INPUT_PIXELS
from pipeline.data.images import MAX_PIXELS

LIBRARY = Path(__file__).parents[2] / "pipeline"
LIMIT_GIB = 3.0
COMMAND = """
import sys
from pipeline.commands.cli import main
try:
    main(sys.argv[1:])
finally:
    print(open("/proc/self/status").read())
"""
ANSWER = """
import sys
from pathlib import Path
from pipeline.commands.page import _uploaded, answer
from pipeline.ovseg import OVSeg
model = OVSeg.load(sys.argv[1])
print(answer(model, _uploaded(Path(sys.argv[2])), "saturn V, blossom", "free-text", 0.7, 0.4).rows)
print(open("/proc/self/status").read())
"""


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    """The shipped weights as a folder that the pipeline wrote."""
    root = tmp_path_factory.mktemp("model")
    (root / "finetune").mkdir()
    (root / "segmenter").symlink_to(LIBRARY / "segmenter/miniature")
    (root / "finetune/second").symlink_to(LIBRARY / "clip/miniature")
    return root


def photograph(path: Path, width: int, height: int) -> Path:
    options = {".jpg": {"progressive": True}, ".webp": {"method": 0}}.get(path.suffix, {})
    pixels = np.random.default_rng(0).integers(0, 256, (30, 40, 3), dtype=np.uint8)
    Image.fromarray(pixels).resize((width, height), Image.Resampling.BILINEAR).save(path, **options)
    return path


def peak_gib(code: str, *arguments: str) -> float:
    done = subprocess.run([sys.executable, "-c", code, *arguments], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    # Not getrusage's ru_maxrss: a process inherits that from the one that started it.
    *_, line = (line for line in done.stdout.splitlines() if line.startswith("VmHWM:"))
    return int(line.split()[1]) / 2**20


def segmented(model: Path, picture: Path, *flags: str) -> float:
    names = ["--classes", "saturn V, blossom", "--model", str(model), "--out", str(picture.parent)]
    return peak_gib(COMMAND, "segment", str(picture), *names, *flags)


@pytest.mark.parametrize(
    ("size", "mode"),
    [
        ((6000, 4000), "ensemble"),
        ((14_000, MAX_PIXELS // 14_000), "free-text"),
        ((9_000_000, 9), "clip"),
    ],
)
def test_segment_takes_at_most_three_gib(model, tmp_path, size, mode):
    picture = tmp_path / "a.png"
    if min(size) < 1000:
        Image.new("L", size, 99).save(picture)
    else:
        photograph(picture, *size)
    assert segmented(model, picture, "--mode", mode) < LIMIT_GIB
    summary = json.loads((tmp_path / "a-classes.json").read_text())
    assert (summary["width"], summary["height"]) == size
    looked_at = summary["looked_at"]
    assert looked_at["width"] * looked_at["height"] <= MAX_INPUT_PIXELS


@pytest.mark.parametrize(
    ("name", "size"),
    [("a.jpg", (14_000, 10_700)), ("a.webp", (12_000, 8_300)), ("a.jp2", (9_000, 6_600))],
)
def test_every_format_at_its_limit_takes_at_most_three_gib(model, tmp_path, name, size):
    picture = photograph(tmp_path / name, *size)
    assert segmented(model, picture) < LIMIT_GIB


def test_a_small_file_of_81_megapixels_does_not_kill_the_web_page(model, tmp_path):
    Image.new("L", (9000, 9000), 99).save(tmp_path / "a.png")
    assert peak_gib(ANSWER, str(model), str(tmp_path / "a.png")) < LIMIT_GIB
