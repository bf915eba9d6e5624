"""Files that several processes write: each appears complete or not at all, and one process at a time makes it."""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path

try:
    import fcntl
except ImportError:  # Windows
    fcntl = None


def write_atomically(path: Path, content: str | bytes) -> None:
    """Write ``content`` so that ``path`` is either as before or complete, also when the disk fills up or power fails.

    Text becomes UTF-8 with the line ends it has. The folder is made when missing. Several processes and threads may
    write the same file: the content of one of them stays.

    Raises:
        OSError: the folder cannot be made or written to.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.{os.getpid()}-{threading.get_ident()}.part")
    try:
        with temporary.open("wb") as file:
            file.write(content.encode() if isinstance(content, str) else content)
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)


@contextmanager
def alone(path: Path) -> Iterator[None]:
    """Wait until no other process or thread is in here with the same ``path``, a file made for this alone.

    The lock ends with the process, however that ends. Where there can be none (Windows, some network drives, a folder
    that cannot be written to), nobody waits, and several may do the same work.
    """
    with ExitStack() as stack:
        with suppress(OSError):
            file = stack.enter_context(path.open("ab"))
            if fcntl is not None:
                fcntl.flock(file, fcntl.LOCK_EX)
        yield
