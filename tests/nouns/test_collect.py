"""The stage on a few captions: shards, drops with reasons, rare nouns, resuming."""

import json

import pytest

from pipeline.core.records import Caption, ImageRecord, NounRecord, Reject, read_parquet
from pipeline.core.shards import read_shards
from pipeline.data.dataset import Dataset, write_dataset
from pipeline.nouns import collect
from pipeline.nouns.collect import collect_nouns, vocabulary
from tests.shipped import section

TEXTS = [
    ["a dog on the grass", "a photo of two dogs"],
    ["a fire hydrant", "nothing to see"],
    ["a dog and a dog"],
    [],
]


@pytest.fixture
def dataset(tmp_path):
    records = [
        ImageRecord(
            number, f"{number}.jpg", 8, 8,
            [Caption(10 * number + i, text) for i, text in enumerate(texts)], None,
        )
        for number, texts in enumerate(TEXTS, 1)
    ]  # fmt: skip
    write_dataset(tmp_path / "dataset", Dataset("t", tmp_path, ["dog"], [True]), records, [])
    return tmp_path / "dataset"


def run(dataset, out, shard_size=1, **changes):
    return collect_nouns(dataset, out, section("nouns", shard_size=shard_size, **changes))


def test_nouns_drops_and_metrics(dataset, tmp_path):
    counts = run(dataset, tmp_path / "nouns")
    nouns = list(read_shards(tmp_path / "nouns", "nouns", NounRecord))
    assert nouns == [
        NounRecord(1, 10, "dog", "dog", 1),
        NounRecord(1, 10, "grass", "grass", 4),
        NounRecord(1, 11, "dog", "dogs", 4),
        NounRecord(2, 20, "fire hydrant", "fire hydrant", 1),
        NounRecord(3, 30, "dog", "dog", 1),
    ]
    drops = list(read_shards(tmp_path / "nouns", "drops", Reject))
    assert drops == [
        Reject("nouns", "11", "stop list: picture", "photo"),
        Reject("nouns", "21", "stop list: vague", "nothing"),
        Reject("nouns", "30", "named before", "dog"),
    ]
    assert read_parquet(tmp_path / "nouns" / "rejects.parquet", Reject) == [
        Reject("nouns", "21", "no noun", "nothing to see")
    ]
    assert counts == {
        "pictures": 3,
        "captions": 5,
        "pictures_with_nouns": 3,
        "nouns": 5,
        "dropped": 3,
        "unique_nouns": 3,
        "drops": {"named before": 1, "stop list: picture": 1, "stop list: vague": 1},
        "rejects": {"no noun": 1},
    }
    commonest = (tmp_path / "nouns" / "plots" / "commonest_nouns.csv").read_text()
    assert commonest == "noun,captions\ndog,3\nfire hydrant,1\ngrass,1\n"


def test_rare_nouns_are_dropped_and_told(dataset, tmp_path):
    counts = run(dataset, tmp_path / "nouns", min_count=2)
    nouns = list(read_shards(tmp_path / "nouns", "nouns", NounRecord))
    assert [(n.caption_id, n.noun) for n in nouns] == [(10, "dog"), (11, "dog"), (30, "dog")]
    assert counts["unique_nouns"] == 1
    assert counts["drops"]["rarer than min_count"] == 2
    assert counts["rejects"] == {"no noun": 1, "only rare nouns": 1}
    assert counts["pictures_with_nouns"] == 2
    drops = list(read_shards(tmp_path / "nouns", "drops", Reject))
    assert Reject("nouns", "20", "rarer than min_count", "fire hydrant") in drops


def test_the_size_of_shards_changes_no_record(dataset, tmp_path):
    run(dataset, tmp_path / "a", shard_size=1)
    run(dataset, tmp_path / "b", shard_size=100)
    for stem, kind in (("nouns", NounRecord), ("drops", Reject), ("rejects", Reject)):
        first, second = (list(read_shards(tmp_path / f, stem, kind)) for f in "ab")
        assert first == second


def test_a_killed_run_goes_on_and_ends_with_the_same_bytes(dataset, tmp_path, monkeypatch):
    run(dataset, tmp_path / "whole")

    def killed(text, tagger, options, real=collect.caption_nouns):
        if text == "a dog and a dog":
            raise KeyboardInterrupt
        return real(text, tagger, options)

    with monkeypatch.context() as patch:
        patch.setattr(collect, "caption_nouns", killed)
        with pytest.raises(KeyboardInterrupt):
            run(dataset, tmp_path / "resumed")
    read = []
    with monkeypatch.context() as patch:
        real = collect.caption_nouns
        patch.setattr(collect, "caption_nouns", lambda *a: read.append(a[0]) or real(*a))
        run(dataset, tmp_path / "resumed")
    assert read == ["a dog and a dog"], "finished shards were kept"
    for path in (tmp_path / "whole").rglob("*"):
        if path.is_file():
            other = tmp_path / "resumed" / path.relative_to(tmp_path / "whole")
            assert other.read_bytes() == path.read_bytes(), path.name


def test_other_options_make_other_shards(dataset, tmp_path):
    run(dataset, tmp_path / "nouns")
    counts = run(dataset, tmp_path / "nouns", multiword=False)
    nouns = [n.noun for n in read_shards(tmp_path / "nouns", "nouns", NounRecord)]
    assert "hydrant" in nouns and "fire hydrant" not in nouns
    assert counts["unique_nouns"] == 4


def test_no_captions_at_all(tmp_path):
    write_dataset(tmp_path / "dataset", Dataset("t", tmp_path, ["dog"], [True]), [], [])
    counts = run(tmp_path / "dataset", tmp_path / "nouns")
    assert counts["nouns"] == counts["unique_nouns"] == counts["captions"] == 0
    assert list(read_shards(tmp_path / "nouns", "nouns", NounRecord)) == []
    assert json.dumps(counts)


def test_vocabulary_is_sorted_by_count_then_name():
    text = vocabulary({"b": 2, "a": 2, "c": 9}, max_nouns=2)
    assert text == "noun,captions\nc,9\na,2\n"
