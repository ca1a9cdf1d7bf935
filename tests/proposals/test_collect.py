import json
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
import torch

from pipeline.core.records import ImageRecord, ProposalRecord, Reject, read_parquet
from pipeline.core.shards import read_shards
from pipeline.data.dataset import read_split
from pipeline.data.rle import areas, decode_masks, to_rle
from pipeline.data.truth import Truth
from pipeline.maskformer.store import save_segmenter
from pipeline.proposals.collect import (
    batches,
    collect_proposals,
    count_found,
    metrics_of,
    to_records,
)
from pipeline.proposals.params import ProposalsParams
from tests.ovseg.tiny import tiny_segmenter
from tests.shipped import section
from tests.toy import make_toy, shapes

SETTINGS = section(
    "proposals", mask_layers="last", max_masks=100, min_area=1, image_batch=2, shard_size=2
)


@pytest.fixture(scope="module")
def folders(tmp_path_factory):
    root = tmp_path_factory.mktemp("inputs")
    make_toy(root / "dataset")
    save_segmenter(root / "segmenter", tiny_segmenter())
    return root


def changed(**values) -> ProposalsParams:
    return SETTINGS.model_copy(update=values)


def collect(folders: Path, out: Path, settings=SETTINGS, shard_size=2) -> dict:
    inputs = (folders / name for name in ("dataset", "segmenter"))
    return collect_proposals(*inputs, out, settings.model_copy(update={"shard_size": shard_size}))


def contents(folder: Path) -> dict[str, bytes]:
    return {str(p.relative_to(folder)): p.read_bytes() for p in folder.rglob("*") if p.is_file()}


def test_a_mask_is_where_the_probability_is_above_the_threshold():
    probabilities = torch.zeros(4, 3, 4)
    probabilities[0, 1, 1:3] = torch.tensor([0.6, 0.8])  # two pixels
    probabilities[1, 0, 0] = 0.5  # not above
    probabilities[2, 2, 3] = 0.9  # one pixel: too small
    probabilities[3] = 1.0
    counts: Counter[str] = Counter()
    settings = changed(min_area=2)
    got = to_records(7, probabilities, settings, counts)
    assert [(r.image_id, r.query, r.height, r.width) for r in got] == [(7, 0, 3, 4), (7, 3, 3, 4)]
    assert areas([to_rle(record) for record in got]).tolist() == [2, 12]
    assert counts == {"masks_empty": 1, "masks_too_small": 1}
    mask = decode_masks([to_rle(got[0])], 3, 4)[0]
    assert np.array_equal(mask, (probabilities[0] > 0.5).numpy())


def test_batches_hold_pictures_of_one_size():
    records = [ImageRecord(i, str(i), 4 + i % 2, 4, [], None) for i in range(5)]
    assert [[r.image_id for r in batch] for batch in batches(records, 2)] == [[0, 2], [4], [1, 3]]
    assert list(batches([], 2)) == []


def test_shards_hold_valid_records_in_picture_order_and_name_the_broken_file(folders, tmp_path):
    metrics = collect(folders, tmp_path)
    records = list(read_shards(tmp_path, "proposals", ProposalRecord))
    assert [r.image_id for r in records] == sorted(r.image_id for r in records)
    assert {r.image_id for r in records} == {1, 2, 3, 4}
    for record in records:
        mask = decode_masks([to_rle(record)], record.height, record.width)[0]
        assert mask.any()
    [reject] = read_parquet(tmp_path / "rejects.parquet", Reject)
    assert (reject.item, reject.reason) == ("5.png", "unreadable picture")
    assert metrics["pictures"] == 5 and metrics["proposals"] == len(records)
    assert metrics["rejects"] == {"unreadable picture": 1}
    assert metrics["objects_closed"] == 8 and metrics["objects_never_labelled"] == 4
    assert 0 <= metrics["recall_closed"] <= 1


def test_a_killed_run_resumes_to_the_same_bytes(folders, tmp_path):
    whole = collect(folders, tmp_path / "whole")
    collect(folders, tmp_path / "killed")
    (tmp_path / "killed" / "manifest" / "00001.json").unlink()
    assert collect(folders, tmp_path / "killed") == whole
    assert contents(tmp_path / "killed") == contents(tmp_path / "whole")


def test_fewer_queries_and_a_threshold_no_pixel_reaches(folders, tmp_path):
    few = collect(folders, tmp_path / "few", changed(max_masks=2))
    assert few["proposals_per_picture"] <= 2
    none = collect(folders, tmp_path / "none", changed(mask_threshold=0.999999))
    assert none["proposals"] == 0
    assert none["rejects"] == {"no mask": 4, "unreadable picture": 1}
    assert none["recall_closed"] == 0


def test_masks_of_all_layers_are_the_surest_and_differ(folders, tmp_path):
    every = changed(mask_layers="all", max_masks=3)
    assert 0 < collect(folders, tmp_path, every)["proposals_per_picture"] <= 3
    by_picture: dict[int, list[ProposalRecord]] = {}
    for record in read_shards(tmp_path, "proposals", ProposalRecord):
        by_picture.setdefault(record.image_id, []).append(record)
    for records in by_picture.values():
        assert [r.query for r in records] == sorted(r.query for r in records)
        assert len({r.rle for r in records}) == len(records)


def test_masks_have_the_size_of_the_picture_whatever_size_the_segmenter_sees(folders, tmp_path):
    collect(folders, tmp_path, changed(short_side=64, long_side=64))
    records = list(read_shards(tmp_path, "proposals", ProposalRecord))
    assert {(r.height, r.width) for r in records} == {(48, 48)}


def test_recall_counts_each_true_mask_once(tmp_path):
    truth = Truth(make_toy(tmp_path), "train")
    record = read_split(tmp_path, "train")[0]
    true = shapes(1)
    wanted = torch.from_numpy(np.stack([true["disc"], true["grass"]])).float()
    masks = to_records(1, wanted, SETTINGS, Counter())
    counts: Counter[str] = Counter()
    count_found(truth.of(record), truth.groups, masks, counts)
    assert counts == {"objects_closed": 2, "found_closed": 1,
                      "objects_never_labelled": 1, "found_never_labelled": 1}  # fmt: skip
    metrics = metrics_of(counts | {"pictures": 1, "proposals": 2}, {})
    assert (metrics["recall_closed"], metrics["recall_never_labelled"]) == (0.5, 1.0)
    count_found(truth.of(record), truth.groups, [], counts)
    count_found({}, truth.groups, masks, counts)
    assert counts["objects_closed"] == 4 and counts["found_closed"] == 1


def test_no_pictures_give_metrics_without_numbers():
    metrics = metrics_of({}, {})
    assert metrics["proposals_per_picture"] == 0.0
    assert metrics["recall_closed"] is None
    json.dumps(metrics)
