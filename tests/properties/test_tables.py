"""Any bytes as Parquet or as a shard of counts: records, or an error that names the file."""

import io
import math

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.core.files import checksum
from pipeline.core.records import (
    SCHEMAS,
    Caption,
    ImageRecord,
    NounRecord,
    PairRecord,
    ProposalRecord,
    Reject,
    read_parquet,
    write_parquet,
)
from pipeline.core.shards import run_shards
from pipeline.evaluate.count import sum_shards
from pipeline.evaluate.variants import Variant
from tests.properties.inputs import BYTES, QUICK, answer, mutated

TEXT = st.text(st.characters(codec="utf-8"), max_size=6)
INT64, INT32 = st.integers(-(2**63), 2**63 - 1), st.integers(-(2**31), 2**31 - 1)
FLOAT32 = st.floats(width=32, allow_nan=False)
BOX = st.tuples(INT32, INT32, INT32, INT32)
CAPTIONS = st.lists(st.builds(Caption, INT64, TEXT), max_size=2)
RECORDS = {
    ImageRecord: st.builds(
        ImageRecord, INT64, TEXT, INT32, INT32, CAPTIONS, st.none() | TEXT
    ),
    ProposalRecord: st.builds(
        ProposalRecord, INT64, INT32, INT32, INT32, st.binary(max_size=5),
    ),
    NounRecord: st.builds(NounRecord, INT64, INT64, TEXT, TEXT, INT32),
    Reject: st.builds(Reject, TEXT, TEXT, TEXT, TEXT),
    PairRecord: st.builds(
        PairRecord, TEXT, TEXT, INT64, INT64, TEXT, BOX, INT64, FLOAT32, INT32,
        st.none() | st.booleans(),
    ),
}  # fmt: skip
REJECTS = [Reject("stage", f"item {i}", "reason", "detail") for i in range(3)]


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("tables")


@pytest.fixture(scope="module")
def whole(folder):
    write_parquet(folder / "whole.parquet", REJECTS, Reject)
    return (folder / "whole.parquet").read_bytes()


def test_every_record_type_is_tried():
    assert RECORDS.keys() == SCHEMAS.keys()


@pytest.mark.parametrize("kind", RECORDS, ids=lambda kind: kind.__name__)
@QUICK
@given(data=st.data())
def test_what_is_written_is_read(folder, kind, data):
    records = data.draw(st.lists(RECORDS[kind], max_size=3))
    write_parquet(folder / "x.parquet", records, kind)
    assert read_parquet(folder / "x.parquet", kind) == records


@pytest.mark.parametrize("kind", RECORDS, ids=lambda kind: kind.__name__)
@QUICK
@given(data=BYTES)
def test_any_bytes_as_parquet(folder, kind, data):
    path = folder / "x.parquet"
    path.write_bytes(data)
    assert answer(lambda: read_parquet(path, kind), path) is None


@given(data=st.data())
@QUICK
def test_changed_parquet(folder, whole, data):
    path = folder / "x.parquet"
    changed = data.draw(mutated(whole))
    path.write_bytes(changed)
    found = answer(lambda: read_parquet(path, Reject), path)
    assert found == (REJECTS if changed == whole else None)


@given(data=st.data())
@QUICK
def test_changed_parquet_under_its_right_checksum(folder, whole, data):
    """As a faulty writer would leave it."""
    path = folder / "x.parquet"
    path.write_bytes(data.draw(mutated(whole)))
    try:
        checksum.seal(path)
    except Exception:
        return  # no place for a checksum is left
    answer(lambda: read_parquet(path, Reject), path)


COLUMNS = st.dictionaries(
    st.sampled_from(["stage", "item", "reason", "detail", "x"]),
    st.sampled_from([[1, 2], ["a", "b"], [None, None], [1.5, 2.5], [[1], []], [b"a", b"\xff"]]),
    min_size=1,
)


@given(columns=COLUMNS)
@QUICK
def test_any_table(folder, columns):
    path = folder / "x.parquet"
    pq.write_table(pa.table(columns), path)
    assert answer(lambda: read_parquet(path, Reject), path) is None


ARRAYS = st.one_of(
    st.lists(st.integers(0, 3), max_size=4).map(lambda v: np.array(v, np.int64)),
    st.lists(st.integers(-9, 40), max_size=4).map(lambda v: np.array(v, np.int64)),
    st.sampled_from([np.array(3), np.array(["a"]), np.ones((2, 2)), np.array([0.5]),
                     np.array([math.nan]), np.array([None], object), np.array([2**63], np.uint64)]),
)  # fmt: skip


def counts(folder, content: bytes):
    out = folder / "counts"

    def make(items, made):
        (made / "a.npz").write_bytes(content)
        return {}

    run_shards(out, [0], 1, make, {"content": content.hex()}, "", names=["a.npz"])
    sums = answer(
        lambda: sum_shards(out, "a", [Variant("segmenter"), Variant("clip", "a")], 2), out
    )
    assert sums is None or all(matrix.shape == (2, 3) for matrix in sums.values())
    return sums


@given(arrays=st.dictionaries(st.sampled_from(["variant", "cell", "pixels", "x"]), ARRAYS))
@QUICK
def test_any_counts(folder, arrays):
    buffer = io.BytesIO()
    np.savez(buffer, **arrays)
    counts(folder, buffer.getvalue())


@given(data=BYTES)
@QUICK
def test_any_bytes_as_counts(folder, data):
    assert counts(folder, data) is None
