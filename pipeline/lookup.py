"""Finding the records of some pictures in a folder of Parquet shards, without reading the rest."""

from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Generic, TypeVar

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.dataset as ds
import pyarrow.parquet as pq

from pipeline.records import records_of
from pipeline.shards import shard_files

R = TypeVar("R")


@dataclass(frozen=True)
class Lookup(Generic[R]):
    """Where the records of each picture are.

    record_type: has a field `image_id`; files: image id to the shards that hold its records. It
    keeps a few bytes a picture in memory and can be sent to another process.
    """

    record_type: type[R]
    files: dict[int, tuple[Path, ...]]

    def of(self, image_ids: Iterable[int]) -> dict[int, list[R]]:
        """The records of these pictures in the order of the shards; [] for one without any."""
        found: dict[int, list[R]] = {image_id: [] for image_id in image_ids}
        by_file: dict[Path, list[int]] = defaultdict(list)
        for image_id in found:
            for path in self.files.get(image_id, ()):
                by_file[path].append(image_id)
        for path in sorted(by_file):
            wanted = pc.field("image_id").isin(pa.array(by_file[path], pa.int64()))
            table = ds.dataset(path, format="parquet").to_table(filter=wanted)
            for record in records_of(table, self.record_type):
                found[record.image_id].append(record)
        return found


def lookup(folder: Path | str, stem: str, record_type: type[R]) -> Lookup[R]:
    """Index the shards `stem-*.parquet` of a folder by picture, reading one column of each.

    MissingFileError when the folder holds no finished shards.
    """
    files: dict[int, tuple[Path, ...]] = {}
    for path in shard_files(folder, stem):
        for image_id in _distinct(path):
            files[image_id] = (*files.get(image_id, ()), path)
    return Lookup(record_type, files)


def _distinct(path: Path) -> Iterator[int]:
    column = pq.read_table(path, columns=["image_id"]).column("image_id")
    yield from pc.unique(column).to_pylist()
