"""Values that are made when first needed, and made again rather than copied into other processes."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any, Generic, TypeVar

Made = TypeVar("Made")


class Deferred(Generic[Made]):
    """``make()``, called once per process. Forked processes share what was made before; pickling leaves it behind.

    Datasets keep their large tables in one, so that they stay light to send to worker processes.
    """

    def __init__(self, make: Callable[[], Made]) -> None:
        """``make`` must be picklable (no lambda)."""
        self._make = make
        self._lock = threading.Lock()

    @property
    def value(self) -> Made:
        """What ``make`` returned. Raises what it raises."""
        if not hasattr(self, "_made"):
            with self._lock:
                if not hasattr(self, "_made"):
                    self._made = self._make()
        return self._made

    def __getstate__(self) -> dict[str, Any]:
        return {"_make": self._make}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__init__(state["_make"])
