"""Which pairs are made of a picture's masks and names."""

from pipeline.core.records import (
    PairRecord,
    Reject,
    read_parquet,
)
from pipeline.data.dataset import read_dataset, read_split
from pipeline.pairs.make import FILES, MakePairs
from tests.pairs.inputs import SETTINGS, collect
from tests.toy import shapes


def test_covers_says_whether_the_chosen_mask_is_the_true_one(folders, tmp_path):
    collect(folders, tmp_path, top_k=3)
    for pair in read_parquet(tmp_path / "index.parquet", PairRecord):
        query_of = {name: i for i, name in enumerate(shapes(pair.image_id))}
        want = None if pair.noun == "joy" else pair.query == query_of[pair.noun]
        assert pair.covers == want


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


def test_a_picture_without_masks_or_names_gives_its_reason(folders, tmp_path):
    """Straight from `MakePairs`: the files of a shard, its counts, its rejects."""
    places = (folders / name for name in ("dataset", "proposals", "nouns", "clip"))
    records = read_split(folders / "dataset", "train")
    counts = MakePairs(*places, SETTINGS, "stamp")(records[1:4], tmp_path)
    assert {path.name for path in tmp_path.iterdir()} == set(FILES)
    assert counts == {"pictures": 3, "pictures_with_pairs": 1, "pairs": 3}
    assert {p.image_id for p in read_parquet(tmp_path / "index.parquet", PairRecord)} == {2}
    rejects = read_parquet(tmp_path / "rejects.parquet", Reject)
    assert [(r.item, r.reason) for r in rejects] == [("3.png", "no mask"), ("4.png", "no noun")]
