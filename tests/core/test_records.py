import hashlib
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.core.errors import UserError
from pipeline.core.files import checksum
from pipeline.core.records import (
    SCHEMAS,
    Caption,
    ImageRecord,
    NounRecord,
    PairRecord,
    ProposalRecord,
    Reject,
    iterate_parquet,
    read_parquet,
    write_parquet,
)
from tests.core.test_shards import flip

ROOT = Path(__file__).resolve().parents[2]
EXAMPLES = {
    ImageRecord: [
        ImageRecord(1, "a.jpg", 4, 3, [Caption(7, "a dog"), Caption(8, "Hündin")], "l/a.png"),
        ImageRecord(2, "b.jpg", 1, 1, [], None),
    ],
    ProposalRecord: [ProposalRecord(1, 0, 3, 4, b"\x0001")],
    NounRecord: [NounRecord(1, 7, "dog", "Dogs", 1)],
    Reject: [Reject("pairs", "image 3", "no mask", "")],
    PairRecord: [
        PairRecord("00000-000001", "pairs-00000.tar", 1, 7, "dog", (0, 0, 2, 2), 4, 0.25, 0, True),
        PairRecord("00000-000002", "pairs-00000.tar", 1, -1, "cat", (0, 0, 2, 2), 4, 0.5, -1, None),
    ],
}


@pytest.mark.parametrize("record_type", SCHEMAS, ids=lambda t: t.__name__)
def test_records_come_back_as_they_went(tmp_path, record_type):
    path = tmp_path / "deep" / "part.parquet"
    assert write_parquet(path, EXAMPLES[record_type], record_type) == len(EXAMPLES[record_type])
    assert read_parquet(path, record_type) == EXAMPLES[record_type]


@pytest.mark.parametrize("record_type", SCHEMAS, ids=lambda t: t.__name__)
def test_no_records_make_a_file_that_reads_as_none(tmp_path, record_type):
    assert write_parquet(tmp_path / "empty.parquet", [], record_type) == 0
    assert read_parquet(tmp_path / "empty.parquet", record_type) == []


def test_the_same_records_make_the_same_bytes(tmp_path):
    for name in "ab":
        write_parquet(tmp_path / name, EXAMPLES[ImageRecord], ImageRecord)
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()


@given(st.lists(st.builds(NounRecord, *[st.integers(0, 2**40)] * 2, st.text(), st.text(),
                          st.integers(0, 500)), max_size=20))  # fmt: skip
def test_any_text_survives(tmp_path_factory, records):
    path = tmp_path_factory.mktemp("text") / "n.parquet"
    write_parquet(path, records, NounRecord)
    assert list(iterate_parquet(path, NounRecord, batch=3)) == records


@pytest.mark.parametrize(
    "record, message",
    [
        (NounRecord(1, 2, None, "x", 0), "NounRecord.noun is None in record 0, expected string"),
        (NounRecord("one", 2, "x", "x", 0), "NounRecord.image_id must be int64"),
        (NounRecord(1, 2, "x", "x", 2**40), "NounRecord.position must be int32"),
        (Reject("a", "b", "c", "d"), "expected NounRecord records, got Reject"),
    ],
)
def test_a_wrong_value_is_named_and_nothing_is_written(tmp_path, record, message):
    with pytest.raises(ValueError, match=message):
        write_parquet(tmp_path / "n.parquet", [record], NounRecord)
    assert list(tmp_path.iterdir()) == []


def test_a_box_of_three_numbers_is_refused(tmp_path):
    [right] = EXAMPLES[PairRecord][:1]
    with pytest.raises(ValueError, match="box_xyxy"):
        write_parquet(tmp_path / "p.parquet", [replace(right, box_xyxy=(0, 0, 2))], PairRecord)


def test_reading_another_type_names_the_column(tmp_path):
    path = tmp_path / "n.parquet"
    write_parquet(path, EXAMPLES[NounRecord], NounRecord)
    with pytest.raises(ValueError, match="n.parquet: column query is missing"):
        read_parquet(path, ProposalRecord)
    with pq.ParquetWriter(path, pa.schema({"stage": pa.int64()})) as writer:
        writer.write_table(pa.table({"stage": np.arange(2)}))
        writer.add_key_value_metadata(checksum.METADATA)
    checksum.seal(path)
    with pytest.raises(UserError, match="column stage is .*int64.*Reject expects .*string"):
        read_parquet(path, Reject)


def test_a_missing_or_broken_file_is_named(tmp_path):
    with pytest.raises(FileNotFoundError, match="absent.parquet: not found.*NounRecord"):
        read_parquet(tmp_path / "absent.parquet", NounRecord)
    for content in (b"", b"PAR1 no"):
        (tmp_path / "broken.parquet").write_bytes(content)
        with pytest.raises(UserError, match="broken.parquet: no checksum found, so it is damaged"):
            read_parquet(tmp_path / "broken.parquet", NounRecord)
    (tmp_path / "broken.parquet").write_bytes(b"no" + checksum.METADATA["checksum"].encode())
    checksum.seal(tmp_path / "broken.parquet")
    with pytest.raises(UserError, match="broken.parquet: not a readable Parquet file"):
        read_parquet(tmp_path / "broken.parquet", NounRecord)


@pytest.mark.parametrize("record_type", SCHEMAS, ids=lambda t: t.__name__)
def test_no_flipped_bit_reads_as_other_data(tmp_path, record_type):
    """Of 150 flipped bits, 98 read as other data before there was a checksum."""
    path = tmp_path / "part.parquet"
    write_parquet(path, EXAMPLES[record_type] * 50, record_type)
    whole = path.read_bytes()
    for bit in np.random.default_rng(0).choice(8 * len(whole), 400):
        flip(path, whole, bit)
        with pytest.raises(UserError, match="part.parquet: (no checksum|its content does not)"):
            list(iterate_parquet(path, record_type))
    path.write_bytes(whole)
    assert read_parquet(path, record_type) == EXAMPLES[record_type] * 50


def test_a_file_that_is_cut_short_or_goes_on_is_named(tmp_path):
    path = tmp_path / "part.parquet"
    write_parquet(path, EXAMPLES[NounRecord], NounRecord)
    whole = path.read_bytes()
    for wrong in (*(whole[:size] for size in range(0, len(whole), 7)), whole + b"\0", whole * 2):
        path.write_bytes(wrong)
        with pytest.raises(UserError, match="part.parquet: (no checksum|its content does not)"):
            read_parquet(path, NounRecord)


def test_a_checksum_stands_where_another_reader_of_parquet_passes_it_over(tmp_path):
    path = tmp_path / "part.parquet"
    write_parquet(path, EXAMPLES[NounRecord], NounRecord)
    table = pq.read_table(path)
    assert table.to_pylist()[0]["noun"] == "dog"
    found = pq.read_metadata(path).metadata[b"checksum"].decode().removeprefix("sha256:")
    assert found == hashlib.sha256(path.read_bytes().replace(found.encode(), b"0" * 64)).hexdigest()


def test_text_that_looks_like_a_checksum_is_only_text(tmp_path):
    path = tmp_path / "part.parquet"
    records = [NounRecord(i, 0, checksum.METADATA["checksum"], "x", 0) for i in range(5)]
    write_parquet(path, records, NounRecord)
    assert read_parquet(path, NounRecord) == records


def test_a_long_file_is_checked_and_read_with_flat_memory(tmp_path):
    """About 80 MB on disk; read in batches, in a process of its own, to measure its peak."""
    path, rng = tmp_path / "part.parquet", np.random.default_rng(0)
    masks = (ProposalRecord(i, 0, 9, 9, rng.bytes(400)) for i in range(200_000))
    write_parquet(path, masks, ProposalRecord)
    code = (
        "import re\n"
        "from pipeline.core.records import ProposalRecord, iterate_parquet\n"
        f"records = iterate_parquet({str(path)!r}, ProposalRecord)\n"
        "status = lambda: open('/proc/self/status').read()\n"  # getrusage knows its parent's
        "peak = lambda: int(re.search(r'VmHWM:\\s+(\\d+)', status())[1]) / 1024\n"
        "for _ in range(20_000): next(records)\n"
        "before = peak()\n"
        "print(sum(1 for _ in records), peak() - before)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True
    )
    rest, growth = done.stdout.split()
    assert int(rest) == 180_000 and float(growth) < 25
