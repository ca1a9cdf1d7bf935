"""The README tells only what is there."""

import json
import re
from pathlib import Path

import yaml

from tests import shipped

ROOT = Path(__file__).resolve().parents[1]
TEXT = (ROOT / "README.md").read_text(encoding="utf-8")


def test_paths_named_exist():
    for path in set(re.findall(r"`((?:pipeline|stages|tests)/[\w/.-]+)`", TEXT)):
        assert (ROOT / path).exists(), path


def test_parameters_named_exist():
    params = yaml.safe_load(shipped.PARAMS.read_text())
    for name in set(
        re.findall(
            r"`((?:pairs|proposals|evaluate|segmenter|nouns|dataset|finetune)\.[\w.]+)`", TEXT
        )
    ):
        value = params
        for part in name.split("."):
            assert part in value, name
            value = value[part]


def test_pictures_named_exist():
    for path in re.findall(r"!\[[^]]*\]\(([^)]+)\)", TEXT):
        assert (ROOT / path).exists(), path


def test_nothing_is_left_to_fill_in():
    assert "@@" not in TEXT


def test_the_table_is_that_of_the_release_run():
    """No figure is typed in: each row is what docs/results holds, to a tenth."""
    results = [
        json.loads((ROOT / f"docs/results/evaluate-world-{name}.json").read_text())
        for name in ("closed", "open")
    ]
    rows = {
        "segmenter alone": ("segmenter",),
        "base CLIP, CLIP only": ("base", "clip"),
        "base CLIP, ensemble (w 0.7)": ("base", "ensemble"),
        "adapted CLIP (weights), CLIP only": ("first", "clip"),
        "adapted CLIP (weights), ensemble (w 0.7)": ("first", "ensemble"),
        "adapted CLIP (weights, then prompts), CLIP only": ("second", "clip"),
        "adapted CLIP (weights, then prompts), ensemble (w 0.7)": ("second", "ensemble"),
        "oracle: true masks, base CLIP": ("base", "oracle_masks"),
        "oracle: true masks, adapted CLIP (weights)": ("first", "oracle_masks"),
        "oracle: proposals, true names": ("oracle_names",),
    }
    for label, keys in rows.items():
        measured = []
        for result in results:
            for key in keys:
                result = result[key]
            measured.append(f"{result['miou_legacy']:.1f}")
        assert f"| {label} | {measured[0]} | {measured[1]} |" in TEXT, label
