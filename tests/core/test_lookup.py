import pickle

import pytest

from pipeline.core.errors import UserError
from pipeline.core.lookup import lookup
from pipeline.core.records import NounRecord, write_parquet
from pipeline.core.shards import run_shards
from tests.core.test_shards import flip


def noun(image_id: int, word: str) -> NounRecord:
    return NounRecord(image_id, image_id * 10, word, word, 0)


def make(items, folder):
    write_parquet(folder / "nouns.parquet", items, NounRecord)
    return {}


@pytest.fixture
def folder(tmp_path):
    records = [noun(1, "dog"), noun(1, "cat"), noun(2, "sky"), noun(5, "boat"), noun(5, "sea")]
    run_shards(tmp_path, records, 2, make, {}, "nouns", names=["nouns.parquet"])
    return tmp_path


def test_records_of_pictures_in_shard_order(folder):
    found = lookup(folder, "nouns", NounRecord).of([5, 1, 3])
    assert {i: [r.noun for r in records] for i, records in found.items()} == {
        5: ["boat", "sea"], 1: ["dog", "cat"], 3: [],
    }  # fmt: skip


def test_it_can_be_sent_to_another_process(folder):
    copy = pickle.loads(pickle.dumps(lookup(folder, "nouns", NounRecord)))
    assert copy.of([2]) == {2: [noun(2, "sky")]}


def test_no_pictures_and_no_shards(folder, tmp_path):
    assert lookup(folder, "nouns", NounRecord).of([]) == {}
    assert lookup(folder, "other", NounRecord).of([1]) == {1: []}
    with pytest.raises(FileNotFoundError, match="no manifest folder"):
        lookup(tmp_path / "absent", "nouns", NounRecord)


def test_a_damaged_shard_is_named_when_it_is_indexed_and_when_it_is_read(folder):
    found = lookup(folder, "nouns", NounRecord)
    path = folder / "nouns-00001.parquet"
    flip(path, path.read_bytes(), 500)
    with pytest.raises(UserError, match="nouns-00001.parquet: its content"):
        found.of([2])
    with pytest.raises(UserError, match="nouns-00001.parquet: its content"):
        lookup(folder, "nouns", NounRecord)
