"""One writer at a time: a lock on the folder that a stage writes.

`data/pairs` is locked by the file `data/.pairs.lock`: beside the folder, since DVC may empty the
folder. It is a POSIX record lock, which belongs to the process: the kernel releases it however the
process ends, no child inherits it, and NFS carries it to other machines. What the file says is for
the error message only.
"""

import errno
import fcntl
import os
import socket
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from pipeline.core.errors import UserError, user_message
from pipeline.core.progress import report

_NO_LOCKS = {errno.ENOLCK, errno.ENOSYS, errno.EOPNOTSUPP, errno.EINVAL}
_held: dict[Path, int] = {}
"""Maps a folder to the process that locked it: a forked child sees the entry but holds no lock."""


@contextmanager
def only_writer(folder: Path | str) -> Iterator[None]:
    """Lock `folder`, which may be a file or not exist yet, against other processes.

    Does nothing where this process already holds a lock on the folder or on one around it. Worker
    processes do not lock; the process that starts them does. On a file system without locks it
    prints a warning. UserError, naming the other process, when the folder is locked.
    """
    real = Path(folder).resolve()
    if any(_held.get(path) == os.getpid() for path in (real, *real.parents)):
        yield
        return
    if not real.name:
        raise UserError(f"{folder}: the root of a file system; choose a folder below it")
    path = real.with_name(f".{real.name}.lock")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        file = _acquire(path, folder)
    except OSError as error:
        if user_message(error) is None or isinstance(error, UserError):
            raise
        raise UserError(
            f"{folder}: cannot be locked against a second writer: {path} beside it cannot be "
            f"written ({error.strerror}); choose a folder whose parent can be written"
        ) from error
    _held[real] = os.getpid()
    try:
        yield
    finally:
        del _held[real]
        path.unlink(missing_ok=True)
        os.close(file)


def _acquire(path: Path, folder: Path | str) -> int:
    while True:
        file = os.open(path, os.O_RDWR | os.O_CREAT, 0o666)
        try:
            fcntl.lockf(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            if error.errno in _NO_LOCKS:
                report(f"{folder}: no locks on this file system; let only one process write there")
                return file
            holder = os.pread(file, 1000, 0).decode(errors="replace")
            os.close(file)
            if error.errno not in (errno.EACCES, errno.EAGAIN):
                raise OSError(error.errno, os.strerror(error.errno), str(path)) from error
            raise UserError(
                f"{folder}: locked by {holder or 'another process'}, which is writing there; wait "
                "until it ends or end it (kill PID, on that machine), then run this again"
            ) from None
        if _is_at(file, path):
            since = time.strftime("%Y-%m-%d %H:%M:%S")
            os.ftruncate(file, 0)
            holder = f"process {os.getpid()} on {socket.gethostname()} since {since}"
            os.pwrite(file, holder.encode(), 0)
            return file
        os.close(file)  # its holder removed it after we had opened it


def _is_at(file: int, path: Path) -> bool:
    try:
        return os.path.samestat(os.fstat(file), os.stat(path))
    except FileNotFoundError:
        return False
