"""Decoded crops and masks in memory that several processes share.

A training reads each pair many times, in fresh processes where a GPU is fed. What one process has
decoded reaches the others without a copy: the pixels lie in one block of memory that has no name
in any file system. Processes get it by its file descriptor, and it is gone with the last of them,
however they end. (torch's shared tensors and `multiprocessing.shared_memory` fill /dev/shm, of
which containers often have 64 MiB.)
"""

import mmap
import os
import tempfile
from multiprocessing.context import get_spawning_popen
from multiprocessing.reduction import DupFd
from typing import IO, Any

import numpy as np

NOT_HERE = -1


class DecodedPairs:
    """Crops and masks under the numbers 0 to `count` - 1, in at most `budget` bytes.

    A process that is being spawned gets the same memory; pickled for anything else, as for
    another machine, it is empty. To be filled before that, by one process.
    """

    def __init__(self, count: int, budget: int) -> None:
        self._places = np.full((count, 3), NOT_HERE, np.int64)  # first byte, height, width
        self._used, self._size = 0, max(1, budget)
        self._file = _nameless_file(self._size)
        self._memory = mmap.mmap(self._file.fileno(), self._size)

    def __len__(self) -> int:
        """How many pairs are here."""
        return int((self._places[:, 0] != NOT_HERE).sum())

    def put(self, number: int, crop: np.ndarray, mask: np.ndarray) -> bool:
        """Keep crop uint8 (h, w, 3) and mask bool (h, w); False where they pass the budget."""
        end = self._used + crop.nbytes + mask.nbytes
        if end > self._size:
            return False
        self._memory[self._used : end] = crop.tobytes() + mask.tobytes()
        self._places[number] = self._used, *mask.shape
        self._used = end
        return True

    def get(self, number: int) -> tuple[np.ndarray, np.ndarray] | None:
        """Return crop and mask as they were put, or None. They are shared memory: not to be
        changed."""
        start, height, width = self._places[number].tolist()
        if start == NOT_HERE:
            return None
        pixels = height * width
        crop = np.frombuffer(self._memory, np.uint8, 3 * pixels, start)
        mask = np.frombuffer(self._memory, np.bool_, pixels, start + 3 * pixels)
        return crop.reshape(height, width, 3), mask.reshape(height, width)

    def __getstate__(self) -> dict[str, Any]:
        if get_spawning_popen() is None:
            return {"count": len(self._places)}
        memory = DupFd(self._file.fileno())
        return {"memory": memory, "places": self._places, "used": self._used, "size": self._size}

    def __setstate__(self, state: dict[str, Any]) -> None:
        if "count" in state:
            DecodedPairs.__init__(self, state["count"], 0)
            return
        self._places, self._used, self._size = state["places"], state["used"], state["size"]
        self._file = os.fdopen(state["memory"].detach(), "r+b")
        self._memory = mmap.mmap(self._file.fileno(), self._size)


def _nameless_file(size: int) -> IO[bytes]:
    """Return a file of `size` zeros in memory, which takes room where it is written to only; on the
    disk where the system has no such files (macOS)."""
    if hasattr(os, "memfd_create"):
        file = os.fdopen(os.memfd_create("ovseg-pairs"), "w+b")
    else:
        file = tempfile.TemporaryFile()
    file.truncate(size)
    return file
