"""The README tells only what is there."""

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
