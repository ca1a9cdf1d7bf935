import io
import tarfile

import numpy as np
import pytest
from PIL import Image

from pipeline.clip import pair_set
from pipeline.clip.pair_set import PairSet, open_pairs
from tests.clip.tiny import COLOURS, wedge, write_pairs


def test_pairs_are_read_as_written(tmp_path):
    pairs = PairSet(write_pairs(tmp_path, 7, per_shard=3))
    rng = np.random.default_rng(0)
    assert len(pairs) == 7 and set(pairs.nouns) <= set(COLOURS)
    assert pairs.nouns == sorted(pairs.nouns)
    assert pairs.image_ids.tolist() == [0, 0, 1, 1, 2, 2, 3]
    for i in range(7):
        noun = list(COLOURS)[rng.integers(len(COLOURS))]
        crop, mask = wedge(COLOURS[noun], rng)
        assert pairs.nouns[pairs.noun_ids[i]] == noun
        assert np.array_equal(pairs[i].crop, crop) and np.array_equal(pairs[i].mask, mask)


@pytest.mark.parametrize("budget", [0, 2**30])
def test_decoding_ahead_changes_nothing(tmp_path, budget):
    write_pairs(tmp_path, 7)
    plain, ahead = PairSet(tmp_path), open_pairs(tmp_path, budget)
    for i in range(7):
        assert np.array_equal(plain[i].crop, ahead[i].crop)


def test_decoding_ahead_stops_at_the_budget(tmp_path, monkeypatch):
    monkeypatch.setattr(pair_set, "DECODED_TOGETHER", 4)
    pairs = PairSet(write_pairs(tmp_path, 11), decoded_budget=1)
    assert pairs.decode() == 4
    assert pairs[10].mask.any()


def test_faults_are_named(tmp_path):
    with pytest.raises(FileNotFoundError, match="expected the shards of the stage `pairs`"):
        PairSet(tmp_path)
    with tarfile.open(tmp_path / "pairs-00000.tar", "w"):
        pass
    with pytest.raises(ValueError, match="its 1 shards hold no pairs"):
        PairSet(tmp_path)
    _tar(tmp_path / "pairs-00000.tar", {"a.png": b"x", "a.txt": b"dog", "a.json": b"{}"})
    with pytest.raises(ValueError, match=r"pair a has no .mask.png, expected the members .png"):
        PairSet(tmp_path)
    members = {"a.png": b"x", "a.mask.png": b"x", "a.txt": b"dog", "a.json": b'{"image_id": 3}'}
    _tar(tmp_path / "pairs-00000.tar", members)
    with pytest.raises(ValueError, match="pair 0 cannot be read as PNG"):
        PairSet(tmp_path)[0]
    _tar(tmp_path / "pairs-00000.tar", members | {"a.json": b"{}"})
    with pytest.raises(ValueError, match="not a readable shard"):
        PairSet(tmp_path)
    sizes = {
        "a.png": _png(np.zeros((3, 4, 3), np.uint8)),
        "a.mask.png": _png(np.zeros((4, 3), "B")),
    }
    _tar(tmp_path / "pairs-00000.tar", members | sizes)
    with pytest.raises(ValueError, match=r"crop of \(3, 4\) and a mask of \(4, 3\)"):
        PairSet(tmp_path)[0]
    (tmp_path / "pairs-00000.tar").write_bytes(b"cut short" * 100)
    with pytest.raises(ValueError, match="not a readable shard of pairs"):
        PairSet(tmp_path)


def _png(pixels):
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, "PNG")
    return buffer.getvalue()


def _tar(path, members):
    with tarfile.open(path, "w") as tar:
        for name, data in members.items():
            info = tarfile.TarInfo(name)
            info.size = len(data)
            tar.addfile(info, io.BytesIO(data))
