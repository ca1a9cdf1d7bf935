import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.records import (
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

EXAMPLES = {
    ImageRecord: [
        ImageRecord(1, "a.jpg", 4, 3, [Caption(7, "a dog"), Caption(8, "Hündin")], "l/a.png"),
        ImageRecord(2, "b.jpg", 1, 1, [], None),
    ],
    ProposalRecord: [ProposalRecord(1, 0, 3, 4, b"\x0001", (0, 0, 2, 2), 4, 0.5, 1.0)],
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
    wrong = ProposalRecord(1, 0, 3, 4, b"", (0, 0, 2), 4, 0.5, 1.0)
    with pytest.raises(ValueError, match="box_xyxy"):
        write_parquet(tmp_path / "p.parquet", [wrong], ProposalRecord)


def test_reading_another_type_names_the_column(tmp_path):
    path = tmp_path / "n.parquet"
    write_parquet(path, EXAMPLES[NounRecord], NounRecord)
    with pytest.raises(ValueError, match="n.parquet: column query is missing"):
        read_parquet(path, ProposalRecord)
    pq.write_table(pa.table({"stage": np.arange(2)}), path)
    with pytest.raises(ValueError, match="column stage is .*int64.*Reject expects .*string"):
        read_parquet(path, Reject)


def test_a_missing_or_broken_file_is_named(tmp_path):
    with pytest.raises(FileNotFoundError, match="absent.parquet: not found.*NounRecord"):
        read_parquet(tmp_path / "absent.parquet", NounRecord)
    (tmp_path / "broken.parquet").write_bytes(b"PAR1 no")
    with pytest.raises(ValueError, match="broken.parquet: not a readable Parquet file"):
        read_parquet(tmp_path / "broken.parquet", NounRecord)
