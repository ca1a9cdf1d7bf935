"""Stages `proposals` and `pairs`, one after the other, as dvc.yaml calls them."""

import json
from pathlib import Path

import pytest
from ruamel.yaml import YAML

from pipeline.clip.store import save_clip
from pipeline.core.records import PairRecord, read_parquet
from pipeline.core.shards import run_shards
from pipeline.maskformer.store import save_segmenter
from stages import pairs, proposals
from tests import shipped
from tests.ovseg.tiny import tiny_clip, tiny_segmenter
from tests.pairs.inputs import make_nouns
from tests.toy import make_toy


@pytest.fixture
def params(tmp_path) -> Path:
    """The shipped parameters, but for masks as small as in the tests."""
    yaml = YAML()
    content = yaml.load(shipped.PARAMS)
    content["proposals"]["min_area"] = 1
    yaml.dump(content, tmp_path / "params.yaml")
    return tmp_path / "params.yaml"


def test_proposals_then_pairs(tmp_path, params, capsys):
    dataset, segmenter, clip = (tmp_path / name for name in ("dataset", "segmenter", "clip"))
    make_toy(dataset)
    save_segmenter(segmenter, tiny_segmenter())
    save_clip(clip, tiny_clip(), "tiny")
    names = ["nouns.parquet"]
    run_shards(tmp_path / "nouns", [1, 2, 3, 4, 5], 5, make_nouns, {}, "nouns", names=names)

    counted = tmp_path / "metrics" / "proposals.json"
    proposals.main(dataset, segmenter, tmp_path / "proposals", counted, params)
    assert json.loads(counted.read_text())["pictures"] == 5

    counted = tmp_path / "metrics" / "pairs.json"
    folders = (tmp_path / "proposals", tmp_path / "nouns", clip, tmp_path / "pairs")
    pairs.main(dataset, *folders, counted, params)
    metrics = json.loads(counted.read_text())
    assert metrics["pairs"] == len(read_parquet(tmp_path / "pairs" / "index.parquet", PairRecord))
    assert metrics["pairs"] > 0 and metrics["unique_nouns"] <= 3
    assert "pairs, " in capsys.readouterr().out
