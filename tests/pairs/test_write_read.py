import io
import json
import tarfile

import numpy as np
import pytest
from PIL import Image

from pipeline.pairs.read import read_pairs
from pipeline.pairs.write import PairWriter, pair_key
from pipeline.records import ImageRecord, PairRecord
from pipeline.shards import run_shards

PICTURE = ImageRecord(7, "7.jpg", 12, 9, [], None)


def example(number: int) -> tuple[PairRecord, np.ndarray, np.ndarray]:
    rng = np.random.default_rng(number)
    image = rng.integers(0, 256, (9, 12, 3)).astype(np.uint8)
    mask = np.zeros((9, 12), bool)
    mask[2:6, 3 : 5 + number % 5] = rng.random((4, 2 + number % 5)) < 0.7
    mask[2, 3] = mask[5, 4 + number % 5] = True
    record = PairRecord(
        pair_key(7, number), "pairs.tar", 7, 70, f"noun {number}", (3, 2, 5 + number % 5, 6),
        int(mask.sum()), 0.25, 3, None,
    )  # fmt: skip
    return record, image, mask


def make(numbers, folder):
    with PairWriter(folder, "mean") as writer:
        for number in numbers:
            record, image, mask = example(number)
            writer.write(record, PICTURE, image, mask)
    return {}


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("pairs")
    run_shards(folder, list(range(20)), 3, make, {}, "pairs")
    return folder


def test_members_of_a_pair(folder):
    with tarfile.open(folder / "pairs-00000.tar") as tar:
        names = tar.getnames()
        members = {name: tar.extractfile(name).read() for name in names}
        assert all((m.mtime, m.uname, m.uid, m.mode) == (0, "", 0, 0o644) for m in tar)
    key = "000000000007-000"
    assert names[:4] == [f"{key}.{x}" for x in ("json", "mask.png", "png", "txt")]
    assert json.loads(members[f"{key}.json"]) == {
        "image_id": 7, "caption_id": 70, "box_xyxy": [3, 2, 5, 6], "area": example(0)[2].sum(),
        "similarity": 0.25, "query": 3, "width": 12, "height": 9, "fill": "mean",
    }  # fmt: skip
    assert members[f"{key}.txt"] == b"noun 0"
    mask = np.asarray(Image.open(io.BytesIO(members[f"{key}.mask.png"])))
    assert set(np.unique(mask)) <= {0, 255}


def test_pairs_come_back_whole_and_in_order(folder):
    pairs = list(read_pairs(folder))
    assert [pair.key for pair in pairs] == [pair_key(7, n) for n in range(20)]
    for number, pair in enumerate(pairs):
        record, image, mask = example(number)
        x1, y1, x2, y2 = record.box_xyxy
        assert np.array_equal(pair.crop, image[y1:y2, x1:x2])
        assert np.array_equal(pair.mask, mask[y1:y2, x1:x2])
        assert pair.noun == f"noun {number}" and pair.about["box_xyxy"] == [x1, y1, x2, y2]


def test_a_seed_shuffles_the_same_way_every_time(folder):
    def order(seed):
        return [pair.key for pair in read_pairs(folder, seed)]

    assert order(1) == order(1) != order(2)
    assert sorted(order(1)) == [pair.key for pair in read_pairs(folder)] != order(1)


@pytest.mark.parametrize("seed", [None, 5])
def test_readers_share_the_pairs(folder, seed):
    parts = [[p.key for p in read_pairs(folder, seed, rank, 3)] for rank in range(3)]
    assert all(parts)
    assert sorted(sum(parts, [])) == [pair_key(7, n) for n in range(20)]
    assert list(read_pairs(folder, seed, 99, 100)) == []


def test_the_same_pairs_make_the_same_bytes(folder, tmp_path):
    run_shards(tmp_path, list(range(20)), 3, make, {}, "pairs")
    for path in folder.glob("*.tar"):
        assert path.read_bytes() == (tmp_path / path.name).read_bytes()


def test_faults_are_named(tmp_path, folder):
    with pytest.raises(FileNotFoundError, match="expected shards pairs"):
        next(read_pairs(tmp_path))
    with pytest.raises(ValueError, match="rank = 2"):
        next(read_pairs(folder, rank=2, world_size=2))
