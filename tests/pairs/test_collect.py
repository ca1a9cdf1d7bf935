import csv
import json
from pathlib import Path

import numpy as np
import pytest

from pipeline.core.records import (
    PairRecord,
    Reject,
    read_parquet,
)
from pipeline.finetune.pair_set import PairSet
from tests.pairs.inputs import collect
from tests.pairs.samples import samples


def contents(folder: Path) -> dict[str, bytes]:
    return {str(p.relative_to(folder)): p.read_bytes() for p in folder.rglob("*") if p.is_file()}


def test_every_noun_gets_one_mask_and_what_is_left_out_has_a_reason(folders, tmp_path):
    metrics = collect(folders, tmp_path)
    index = read_parquet(tmp_path / "index.parquet", PairRecord)
    assert [(p.image_id, p.noun) for p in index] == [
        (i, noun) for i in (1, 2, 5) for noun in ("disc", "red square", "joy")
    ]
    assert [p.caption_id for p in index[:3]] == [10, 10, 11]
    assert {p.shard for p in index} == {"pairs-00000.tar", "pairs-00002.tar"}
    assert len({p.key for p in index}) == len(index)
    rejects = read_parquet(tmp_path / "rejects.parquet", Reject)
    assert [(r.item, r.reason) for r in rejects] == [
        ("3.png", "no mask"), ("4.png", "no noun"), ("6.png", "unreadable picture"),
    ]  # fmt: skip
    assert metrics["pictures"] == 6 and metrics["pictures_with_pairs"] == 3
    assert metrics["pairs"] == 9 and metrics["unique_nouns"] == 3
    assert metrics["judged_closed"] == metrics["judged_never_labelled"] == 3
    assert metrics["rejects"] == {"no mask": 1, "no noun": 1, "unreadable picture": 1}


def test_shards_hold_the_crops_that_the_index_lists(folders, tmp_path):
    collect(folders, tmp_path)
    index = read_parquet(tmp_path / "index.parquet", PairRecord)
    stored, training = samples(tmp_path), PairSet(tmp_path)
    assert [s["__key__"] for s in stored] == [p.key for p in index]
    for number, (sample, record) in enumerate(zip(stored, index, strict=True)):
        x1, y1, x2, y2 = record.box_xyxy
        pair = training[number]
        assert pair.crop.shape == (y2 - y1, x2 - x1, 3) and pair.mask.sum() == record.area
        assert pair.mask.any(axis=0).all() or pair.mask.any(axis=1).all()
        about = json.loads(sample["json"])
        assert about["similarity"] == pytest.approx(record.similarity, abs=1e-6)
    assert len(training) == 9 and training.nouns == ["disc", "joy", "red square"]


def test_crops_as_jpeg_are_nearly_the_same_and_train_as_well(folders, tmp_path):
    collect(folders, tmp_path / "png")
    collect(folders, tmp_path / "jpg", crop_format="jpg")
    for exact, close in zip(samples(tmp_path / "png"), samples(tmp_path / "jpg"), strict=True):
        same = ("__key__", "txt", "json", "mask.png")
        assert [exact[name] for name in same] == [close[name] for name in same]
    exact, close = PairSet(tmp_path / "png"), PairSet(tmp_path / "jpg")
    assert len(exact) == len(close) == 9
    for i in range(9):
        assert np.array_equal(exact[i].mask, close[i].mask)
        assert abs(exact[i].crop.astype(int) - close[i].crop).mean() < 4


def test_shard_size_and_a_kill_change_no_pair(folders, tmp_path):
    whole = collect(folders, tmp_path / "whole")
    one = collect(folders, tmp_path / "one", shard_size=100)
    assert one.pop("similarity_mean") == pytest.approx(whole["similarity_mean"])
    assert one == {key: value for key, value in whole.items() if key != "similarity_mean"}
    pairs, same = (
        read_parquet(tmp_path / name / "index.parquet", PairRecord) for name in ("whole", "one")
    )
    assert [(p.key, p.noun, p.query) for p in pairs] == [(p.key, p.noun, p.query) for p in same]
    collect(folders, tmp_path / "killed")
    (tmp_path / "killed" / "manifest" / "00000.json").unlink()
    assert collect(folders, tmp_path / "killed") == whole
    assert contents(tmp_path / "killed") == contents(tmp_path / "whole")


def test_a_threshold_nothing_reaches_leaves_readable_empty_files(folders, tmp_path):
    """No pair at all is told here, before a training without pairs."""
    with pytest.raises(ValueError, match="none of the 6 captioned pictures of the train split"):
        collect(folders, tmp_path, min_similarity=1.0)
    reasons = [reject.reason for reject in read_parquet(tmp_path / "rejects.parquet", Reject)]
    assert reasons.count("below min_similarity") == 9
    assert read_parquet(tmp_path / "index.parquet", PairRecord) == []
    assert samples(tmp_path) == []


def test_plots_are_tables_with_a_heading(folders, tmp_path):
    collect(folders, tmp_path)
    with open(tmp_path / "plots" / "pairs_per_noun.csv") as file:
        rows = list(csv.DictReader(file))
    assert [row["nouns"] for row in rows] == ["0", "0", "3"]
    assert {path.name for path in (tmp_path / "plots").iterdir()} == {
        "pairs_per_noun.csv", "similarity.csv", "nouns.csv"
    }  # fmt: skip
