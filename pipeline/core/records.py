"""The records that pass between stages, and their Parquet files.

One frozen dataclass per stage boundary. Its fields, in order, are the columns of the file;
`SCHEMAS` gives their Arrow types. Files are checked against the schema on writing and on reading,
have the same bytes whenever they hold the same records, and carry a checksum that is verified
before anything is read (pipeline/core/files/checksum.py).
"""

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, fields
from itertools import islice
from pathlib import Path
from typing import Any, TypeVar

import pyarrow as pa
import pyarrow.parquet as pq

from pipeline.core.errors import MissingFileError, UserError
from pipeline.core.files import checksum
from pipeline.core.files.atomic import replacing

R = TypeVar("R")
ROW_GROUP = 16384
"""Records written together: what a reader or writer holds in memory."""
READ_BYTES = 2**20
"""Bytes of a column read at a time; by default pyarrow reads all row groups of a file ahead."""


@dataclass(frozen=True)
class Caption:
    """One sentence about an image.

    id: the data set's caption id, unique in a split; text: as written, never empty.
    """

    id: int
    text: str


@dataclass(frozen=True)
class ImageRecord:
    """One captioned image.

    image_id: unique in a split; path: of the image file, relative to the data-set root;
    width, height: pixels after EXIF orientation; captions: in the data set's order, may be empty;
    label_path: semantic label PNG relative to the root, None where there is none.
    """

    image_id: int
    path: str
    width: int
    height: int
    captions: list[Caption]
    label_path: str | None


@dataclass(frozen=True)
class ProposalRecord:
    """One class-agnostic mask on an image.

    image_id: see ImageRecord; query: with masks of the last layer the segmenter's query, with those
    of all layers the rank of the mask, surest first; 0 up; height, width: pixels of the mask = of
    the image; rle: COCO compressed run lengths (column-major), with at least one pixel. Box and
    area follow from it (pipeline/data/rle.py).
    """

    image_id: int
    query: int
    height: int
    width: int
    rle: bytes


@dataclass(frozen=True)
class NounRecord:
    """One noun of a caption.

    image_id, caption_id: see ImageRecord, Caption; noun: lemma, lower case, words joined by a
    space; surface: as written in the caption; position: index of its first token, 0 up.
    """

    image_id: int
    caption_id: int
    noun: str
    surface: str
    position: int


@dataclass(frozen=True)
class Reject:
    """Something a stage left out.

    stage: its name; item: what was left out (file, image id, noun ...); reason: a short fixed
    phrase that counts are grouped by; detail: free text, may be empty.
    """

    stage: str
    item: str
    reason: str
    detail: str


@dataclass(frozen=True)
class PairRecord:
    """One mask-category pair, as listed in the index beside the WebDataset shards.

    key: the sample's key, unique over all shards; shard: file name of its tar; image_id,
    caption_id: see ImageRecord, Caption; caption_id is -1 if the name comes from ground truth;
    noun: the category; box_xyxy: crop in image pixels, x2 and y2 exclusive; area: mask pixels;
    similarity: cosine of the base CLIP's region and noun features, -1..1; query: of the proposal,
    -1 when the mask is ground truth; covers: whether the mask really shows the noun, None
    without ground truth for it.
    """

    key: str
    shard: str
    image_id: int
    caption_id: int
    noun: str
    box_xyxy: tuple[int, int, int, int]
    area: int
    similarity: float
    query: int
    covers: bool | None


def _schema(nullable: tuple[str, ...] = (), **columns: pa.DataType) -> pa.Schema:
    return pa.schema([pa.field(n, t, nullable=n in nullable) for n, t in columns.items()])


def _list_of(element: pa.DataType, length: int = -1) -> pa.DataType:
    return pa.list_(pa.field("element", element, nullable=False), length)


_BOX = _list_of(pa.int32(), 4)
_CAPTION = pa.struct(
    [pa.field("id", pa.int64(), nullable=False), pa.field("text", pa.string(), nullable=False)]
)

SCHEMAS: dict[type, pa.Schema] = {
    ImageRecord: _schema(
        image_id=pa.int64(), path=pa.string(), width=pa.int32(), height=pa.int32(),
        captions=_list_of(_CAPTION), label_path=pa.string(), nullable=("label_path",),
    ),
    ProposalRecord: _schema(
        image_id=pa.int64(), query=pa.int32(), height=pa.int32(), width=pa.int32(),
        rle=pa.binary(),
    ),
    NounRecord: _schema(
        image_id=pa.int64(), caption_id=pa.int64(), noun=pa.string(), surface=pa.string(),
        position=pa.int32(),
    ),
    Reject: _schema(
        stage=pa.string(), item=pa.string(), reason=pa.string(), detail=pa.string()
    ),
    PairRecord: _schema(
        key=pa.string(), shard=pa.string(), image_id=pa.int64(), caption_id=pa.int64(),
        noun=pa.string(), box_xyxy=_BOX, area=pa.int64(), similarity=pa.float32(),
        query=pa.int32(), covers=pa.bool_(), nullable=("covers",),
    ),
}  # fmt: skip


def write_parquet(path: Path | str, records: Iterable[R], record_type: type[R]) -> int:
    """Write records of one type to `path`, whole or not at all; returns how many.

    ValueError when a record is of another type or holds a value the schema does not allow.
    """
    schema = SCHEMAS[record_type]
    rows, count = iter(records), 0
    with replacing(Path(path)) as temporary:
        with pq.ParquetWriter(temporary, schema, compression="zstd") as writer:
            while part := list(islice(rows, ROW_GROUP)):
                writer.write_table(_table(path, part, record_type))
                count += len(part)
            writer.add_key_value_metadata(checksum.METADATA)
        checksum.seal(temporary)
    return count


def _table(path: Path | str, rows: list[R], record_type: type[R]) -> pa.Table:
    for row in rows:
        if type(row) is not record_type:
            raise ValueError(
                f"{path}: expected {record_type.__name__} records, got {type(row).__name__}"
            )
    columns = []
    for field in SCHEMAS[record_type]:
        values = [getattr(row, field.name) for row in rows]
        if field.name == "captions":
            values = [[asdict(caption) for caption in captions] for captions in values]
        columns.append(_column(path, record_type, field, values))
    return pa.Table.from_arrays(columns, schema=SCHEMAS[record_type])


def _column(path: Path | str, record_type: type, field: pa.Field, values: list) -> pa.Array:
    where = f"{path}: {record_type.__name__}.{field.name}"
    try:
        array = pa.array(values, field.type)
    except (pa.ArrowInvalid, pa.ArrowTypeError, OverflowError) as error:
        raise ValueError(f"{where} must be {field.type}: {error}") from error
    if array.null_count and not field.nullable:
        raise ValueError(f"{where} is None in record {values.index(None)}, expected {field.type}")
    return array


def read_parquet(path: Path | str, record_type: type[R]) -> list[R]:
    """Read all records of a file written by `write_parquet`.

    MissingFileError when there is no such file; UserError when it is damaged or its columns are
    not those of `record_type`.
    """
    return list(iterate_parquet(path, record_type))


def iterate_parquet(path: Path | str, record_type: type[R], batch: int = 4096) -> Iterator[R]:
    """Like `read_parquet`, holding only about `batch` records in memory at a time."""
    with open_parquet(path, record_type) as file:
        chunks = file.iter_batches(batch)
        while True:
            try:
                chunk = next(chunks, None)
                records = [] if chunk is None else list(records_of(chunk, record_type))
            except (pa.ArrowException, OSError, ValueError, TypeError) as error:
                if isinstance(error, OSError) and error.errno is not None:
                    raise  # the disk, not the content
                raise UserError(f"{path}: not a readable Parquet file: {error}") from error
            if chunk is None:
                return
            yield from records


@contextmanager
def open_parquet(path: Path | str, record_type: type) -> Iterator[pq.ParquetFile]:
    """Open a file written by `write_parquet`, its checksum and columns verified; errors as in
    `read_parquet`."""
    path = Path(path)
    if not path.is_file():
        raise MissingFileError(
            f"{path}: not found, expected a Parquet file of {record_type.__name__} records; "
            "run the stage that writes it"
        )
    with open(path, "rb") as stream:
        checksum.verify(stream, path)
        try:
            file = pq.ParquetFile(stream, pre_buffer=False, buffer_size=READ_BYTES)
        except (pa.ArrowException, OSError, ValueError) as error:
            raise UserError(f"{path}: not a readable Parquet file: {error}") from error
        with file:
            _check_schema(path, file.schema_arrow, record_type)
            yield file


def records_of(table: pa.Table | pa.RecordBatch, record_type: type[R]) -> Iterator[R]:
    """Yield the rows of an Arrow table with the columns of `record_type`, as records."""
    for row in table.to_pylist():
        yield record_type(**_typed(row, record_type))


def _check_schema(path: Path, found: pa.Schema, record_type: type) -> None:
    expected = SCHEMAS[record_type]
    if found.equals(expected):
        return
    for name in expected.names:
        have = found.field(name) if name in found.names else "missing"
        if have != expected.field(name):
            raise UserError(
                f"{path}: column {name} is {have}, {record_type.__name__} expects "
                f"{expected.field(name)}; rerun the stage that wrote it"
            )
    raise UserError(f"{path}: columns {found.names}, {record_type.__name__} has {expected.names}")


def _typed(row: dict[str, Any], record_type: type) -> dict[str, Any]:
    if "box_xyxy" in row:
        row["box_xyxy"] = tuple(row["box_xyxy"])
    if record_type is ImageRecord:
        row["captions"] = [Caption(**caption) for caption in row["captions"]]
    return row


for _type, _columns in SCHEMAS.items():
    assert [f.name for f in fields(_type)] == _columns.names, f"{_type.__name__} and its schema"
del _type, _columns
