"""Find the records of some pictures in a folder of Parquet shards without reading the rest."""

from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Generic, Protocol, TypeVar

import pyarrow as pa
import pyarrow.compute as pc

from pipeline.core.records import open_parquet, records_of
from pipeline.core.shards import shard_files


class OfPicture(Protocol):
    """A record that belongs to one picture."""

    @property
    def image_id(self) -> int: ...


R = TypeVar("R", bound=OfPicture)


@dataclass(frozen=True)
class Lookup(Generic[R]):
    """Where the records of each picture are.

    record_type: has a field `image_id`; files: image id -> the shards that hold its records. Takes
    a few bytes of memory a picture and can be sent to another process.
    """

    record_type: type[R]
    files: dict[int, tuple[Path, ...]]

    def of(self, image_ids: Iterable[int]) -> dict[int, list[R]]:
        """Return the records of each picture, in shard order; [] for one without any."""
        found: dict[int, list[R]] = {image_id: [] for image_id in image_ids}
        by_file: dict[Path, list[int]] = defaultdict(list)
        for image_id in found:
            for path in self.files.get(image_id, ()):
                by_file[path].append(image_id)
        for path in sorted(by_file):
            for record in _records(path, self.record_type, by_file[path]):
                found[record.image_id].append(record)
        return found


def lookup(folder: Path | str, stem: str, record_type: type[R]) -> Lookup[R]:
    """Index the shards `stem-*.parquet` of a folder by picture, reading one column of each.

    Errors as in `shard_files`.
    """
    files: dict[int, tuple[Path, ...]] = {}
    for path in shard_files(folder, stem):
        for image_id in _distinct(path, record_type):
            files[image_id] = (*files.get(image_id, ()), path)
    return Lookup(record_type, files)


def _distinct(path: Path, record_type: type) -> Iterator[int]:
    with open_parquet(path, record_type) as file:
        column = file.read(columns=["image_id"]).column("image_id")
    yield from pc.unique(column).to_pylist()


def _records(path: Path, record_type: type[R], image_ids: list[int]) -> Iterator[R]:
    """Yield the records of these pictures in one shard, read a row group at a time."""
    requested = pa.array(image_ids, pa.int64())
    with open_parquet(path, record_type) as file:
        for group in range(file.num_row_groups):
            ids = file.read_row_group(group, columns=["image_id"]).column("image_id")
            chosen = pc.is_in(ids, requested)
            if pc.any(chosen).as_py():
                yield from records_of(file.read_row_group(group).filter(chosen), record_type)
