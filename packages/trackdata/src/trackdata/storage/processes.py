"""Things that belong to one process: opened on first use, opened again after a fork, left behind by pickling."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable
from typing import Any, Generic, TypeVar

Opened = TypeVar("Opened")


class PerProcess(Generic[Opened]):
    """One value per key and process, made by ``make`` when it is first asked for. Safe for threads.

    A forked child does not use what its parent had opened, unless that is said to be safe: reading through an LMDB
    environment of another process, for instance, goes wrong.
    """

    def __init__(
        self,
        make: Callable[[Any], Opened],
        forget: Callable[[Opened], None] | None = None,
        *,
        inherit: bool = False,
    ) -> None:
        """
        Args:
            make: opens the thing of a key.
            forget: called in a forked child for each thing it inherits; by default they are left alone.
            inherit: forked children use what they inherit.
        """
        self._make = make
        self._forget = forget
        self._inherit = inherit
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

    def drop(self, key: Any) -> Opened | None:
        """Forget the value of ``key`` in this process and return it, for the caller to close; None if it has none."""
        with self._lock:
            return self._opened.pop(key, None)

    def _begin_child(self) -> None:
        # The lock may have been held during the fork, by a thread that does not exist here.
        self._lock = threading.Lock()
        if self._inherit:
            return
        inherited, self._opened = list(self._opened.values()), {}
        if self._forget is None:
            self._inherited += inherited
        else:
            for value in inherited:
                self._forget(value)
