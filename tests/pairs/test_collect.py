import csv
import json
from pathlib import Path

import numpy as np
import pytest

from pipeline.clip.store import save_clip
from pipeline.core.records import (
    NounRecord,
    PairRecord,
    ProposalRecord,
    Reject,
    read_parquet,
    write_parquet,
)
from pipeline.core.shards import run_shards
from pipeline.data.dataset import read_dataset, read_split
from pipeline.data.rle import encode_masks
from pipeline.finetune.pair_set import PairSet
from pipeline.pairs.collect import collect_pairs
from tests.ovseg.tiny import tiny_clip
from tests.pairs.samples import samples
from tests.shipped import section
from tests.toy import make_toy, shapes

SETTINGS = section(
    "pairs", captions_per_image=5, mask_source="proposals", name_source="captions",
    direction="noun_to_mask", top_k=1, min_similarity=-1.0,
    fill="mean", expand=1.0, crop_format="png", crop_batch=4, bfloat16=False,
    templates="bare",
)  # fmt: skip


def make_proposals(image_ids, folder):
    """The true masks of each picture, and none on picture 3."""
    records = []
    for image_id in image_ids:
        masks = [] if image_id == 3 else [m for m in shapes(image_id).values() if m.any()]
        for query, mask in enumerate(masks):
            rle = encode_masks(mask[None])[0]["counts"]
            records.append(ProposalRecord(image_id, query, 48, 48, rle))
    write_parquet(folder / "proposals.parquet", records, ProposalRecord)
    return {}


def make_nouns(image_ids, folder):
    """ "disc" and "red square" in both captions, "joy" in the second; none on picture 4."""
    records = [
        NounRecord(i, 10 * i + caption, noun, noun, place)
        for i in image_ids
        if i != 4
        for caption in (0, 1)
        for place, noun in enumerate(["disc", "red square", "joy"][: 2 + caption])
    ]
    write_parquet(folder / "nouns.parquet", records, NounRecord)
    return {}


@pytest.fixture(scope="module")
def folders(tmp_path_factory):
    root = tmp_path_factory.mktemp("inputs")
    make_toy(root / "dataset", pictures=6)
    ids = list(range(1, 7))
    for stage, size, make in (("proposals", 2, make_proposals), ("nouns", 4, make_nouns)):
        run_shards(root / stage, ids, size, make, {}, stage, names=[f"{stage}.parquet"])
    save_clip(root / "clip", tiny_clip(), "tiny")
    return root


def collect(folders: Path, out: Path, shard_size: int = 2, **changes) -> dict:
    settings = SETTINGS.model_copy(update=changes | {"shard_size": shard_size})
    inputs = (folders / name for name in ("dataset", "proposals", "nouns", "clip"))
    return collect_pairs(*inputs, out, settings)


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


def test_covers_says_whether_the_chosen_mask_is_the_true_one(folders, tmp_path):
    collect(folders, tmp_path, top_k=3)
    for pair in read_parquet(tmp_path / "index.parquet", PairRecord):
        query_of = {name: i for i, name in enumerate(shapes(pair.image_id))}
        want = None if pair.noun == "joy" else pair.query == query_of[pair.noun]
        assert pair.covers == want


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


def test_fewer_captions_give_fewer_nouns(folders, tmp_path):
    assert collect(folders, tmp_path, captions_per_image=1)["unique_nouns"] == 2


def test_true_masks_with_true_names_need_no_matching(folders, tmp_path):
    metrics = collect(folders, tmp_path, mask_source="ground_truth", name_source="ground_truth")
    index = read_parquet(tmp_path / "index.parquet", PairRecord)
    assert metrics["precision"] == metrics["precision_closed"] == 1.0
    assert metrics["pairs"] == 10  # two labelled classes in each of five readable pictures
    assert {p.caption_id for p in index} == {p.query for p in index} == {-1}
    dataset, records = read_dataset(folders / "dataset"), read_split(folders / "dataset", "train")
    label = dataset.read_label(records[0])
    assert [p.area for p in index[:2]] == [(label == 0).sum(), (label == 1).sum()]


def test_true_masks_with_caption_nouns_and_the_other_way_round(folders, tmp_path):
    collect(folders, tmp_path / "a", mask_source="ground_truth")
    index = read_parquet(tmp_path / "a" / "index.parquet", PairRecord)
    assert {p.query for p in index} == {-1} and -1 not in {p.caption_id for p in index}
    assert {p.noun for p in index} == {"disc", "red square", "joy"}
    collect(folders, tmp_path / "b", name_source="ground_truth")
    index = read_parquet(tmp_path / "b" / "index.parquet", PairRecord)
    assert {p.noun for p in index} == {"red square", "grass"} and min(p.query for p in index) >= 0


def test_every_mask_can_choose_its_noun_instead(folders, tmp_path):
    metrics = collect(folders, tmp_path, direction="mask_to_noun")
    index = read_parquet(tmp_path / "index.parquet", PairRecord)
    assert metrics["pairs"] == 9  # three masks in each of three pictures
    assert sorted(p.query for p in index) == sorted([0, 1, 2] * 3)


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
