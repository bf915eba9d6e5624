"""Keeping freed memory for the next array."""

from __future__ import annotations

from functools import cache

import numpy as np

_LARGEST = 24 << 20  # bytes; glibc adapts to freed blocks of up to 32 MB


@cache
def keep_freed_memory() -> None:
    """Let this process keep the memory of freed arrays of up to some megabytes, instead of asking for it anew.

    By default glibc returns freed arrays to the system when they are large or a few of them are together, and the next
    ones are cleared by the kernel page by page, which can take as long as the work on them. Once a large block was
    freed, it keeps blocks of this size. Other C libraries are not affected.
    """
    block = np.empty(_LARGEST, dtype=np.uint8)  # reserved, never touched
    del block
