import io
import json
import tarfile

import numpy as np
import pytest
from PIL import Image

from pipeline.core.records import ImageRecord, PairRecord
from pipeline.core.shards import run_shards
from pipeline.finetune.pair_set import PairSet
from pipeline.pairs.write import PairWriter, pair_key
from tests.pairs.samples import samples

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
    run_shards(folder, list(range(20)), 3, make, {}, "pairs", names=["pairs.tar"])
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
    pairs = PairSet(folder)
    stored = samples(folder)
    assert [sample["__key__"] for sample in stored] == [pair_key(7, n) for n in range(20)]
    for number, sample in enumerate(stored):
        record, image, mask = example(number)
        x1, y1, x2, y2 = record.box_xyxy
        assert np.array_equal(pairs[number].crop, image[y1:y2, x1:x2])
        assert np.array_equal(pairs[number].mask, mask[y1:y2, x1:x2])
        noun = f"noun {number}"
        assert sample["txt"].decode() == pairs.nouns[pairs.noun_ids[number]] == noun
        assert json.loads(sample["json"])["box_xyxy"] == [x1, y1, x2, y2]


def test_the_same_pairs_make_the_same_bytes(folder, tmp_path):
    run_shards(tmp_path, list(range(20)), 3, make, {}, "pairs", names=["pairs.tar"])
    for path in folder.glob("*.tar"):
        assert path.read_bytes() == (tmp_path / path.name).read_bytes()
