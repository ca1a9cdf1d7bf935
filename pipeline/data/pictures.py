"""Read the pictures of a shard in parallel; those that cannot be read become rejects."""

from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np

from pipeline.core.errors import UserError
from pipeline.core.processes import runtime
from pipeline.core.records import ImageRecord, Reject
from pipeline.data.images import read_image


def read_pictures(
    root: Path, records: Sequence[ImageRecord], stage: str, rejects: list[Reject]
) -> Iterator[tuple[ImageRecord, np.ndarray]]:
    """Yield the readable pictures, uint8 (H, W, 3), in order; the others go to `rejects`."""

    def read(record: ImageRecord) -> np.ndarray | Reject:
        try:
            image = read_image(root / record.path)
        except UserError as error:
            return Reject(stage, record.path, "unreadable picture", str(error))
        if image.shape[:2] != (record.height, record.width):
            size = f"is {image.shape[1]} x {image.shape[0]}, was {record.width} x {record.height}"
            return Reject(stage, record.path, "size changed since indexing", size)
        return image

    with ThreadPoolExecutor(runtime.workers()) as pool:
        for record, result in zip(records, pool.map(read, records), strict=True):
            if isinstance(result, Reject):
                rejects.append(result)
            else:
                yield record, result
