"""Things that belong to one process: opened on first use, opened again after a fork, left behind by pickling."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable
from typing import Any, Generic, TypeVar

Opened = TypeVar("Opened")


class PerProcess(Generic[Opened]):
    """One value per key and process, made by ``make`` when it is first asked for. Safe for threads.

    A forked child never uses what its parent had opened: seeking a shared file, or reading through an LMDB environment
    of another process, goes wrong.
    """

    def __init__(self, make: Callable[[Any], Opened], forget: Callable[[Opened], None] | None = None) -> None:
        """``forget`` is called in a forked child for each value it inherits; by default they are just left alone."""
        self._make = make
        self._forget = forget
        self._lock = threading.Lock()
        self._opened: dict[Any, Opened] = {}
        self._inherited: list[Opened] = []  # kept, because letting go would run destructors
        if hasattr(os, "register_at_fork"):  # systems without it do not fork
            os.register_at_fork(after_in_child=self._begin_child)

    def get(self, key: Any) -> Opened:
        """The value of ``key`` in this process. Raises what ``make`` raises."""
        with self._lock:
            if key not in self._opened:
                self._opened[key] = self._make(key)
            return self._opened[key]

    def _begin_child(self) -> None:
        # The lock may have been held during the fork, by a thread that does not exist here.
        self._lock = threading.Lock()
        inherited, self._opened = list(self._opened.values()), {}
        if self._forget is None:
            self._inherited += inherited
        else:
            for value in inherited:
                self._forget(value)
