"""Reading a file at a place, without a position that threads and forked processes would share."""

from __future__ import annotations

import os
import threading

_MOST = 1 << 30  # bytes: systems read at most about 2 GiB at once
_lock = threading.Lock()


def read_at(descriptor: int, size: int, offset: int) -> bytes:
    """``size`` bytes from ``offset``; fewer where the file ends. Raises OSError."""
    data = _read(descriptor, min(size, _MOST), offset)
    if len(data) == size or not data:
        return data
    pieces, done = [data], len(data)
    while done < size and (data := _read(descriptor, min(size - done, _MOST), offset + done)):
        pieces.append(data)
        done += len(data)
    return b"".join(pieces)


def _read_in_turn(descriptor: int, size: int, offset: int) -> bytes:
    with _lock:
        os.lseek(descriptor, offset, os.SEEK_SET)
        return os.read(descriptor, size)


_read = getattr(os, "pread", _read_in_turn)  # Windows has no pread; neither does it fork
