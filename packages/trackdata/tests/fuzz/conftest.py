"""How hostile input is made and tried: a few dozen cases each time, some hundred in the slow tests."""

from __future__ import annotations

import os
import resource
import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, given, settings

FAST, THOROUGH = 30, 150
LIMIT = 300  # seconds after which a check hangs
MEMORY = 1 << 31  # bytes that a check may take on top


@pytest.fixture(params=[pytest.param(FAST, id="fast"), pytest.param(THOROUGH, id="thorough", marks=pytest.mark.slow)])
def fuzz(request: pytest.FixtureRequest) -> Callable[..., None]:
    """``fuzz(check, strategy, ...)``: call ``check`` with many examples of the strategies. It must not hang, nor
    take all memory.

    The cases are the same each time, unless FUZZ_RANDOM is set: a check of a change is to fail for that change.
    """

    def run(check: Callable[..., Any], *strategies: Any) -> None:
        chosen = settings(
            max_examples=request.param,
            derandomize=not os.environ.get("FUZZ_RANDOM"),
            deadline=None,
            database=None,
            phases=[Phase.explicit, Phase.generate, Phase.shrink],
            suppress_health_check=list(HealthCheck),
        )

        with _limited():
            chosen(given(*strategies)(check))()

    return run


@contextmanager
def _limited() -> Iterator[None]:
    """No more than so much time and memory."""

    def hang(*_: Any) -> None:
        raise TimeoutError(f"no end after {LIMIT} seconds")

    pages = int(Path("/proc/self/statm").read_text().split()[0])
    soft, hard = resource.getrlimit(resource.RLIMIT_AS)
    resource.setrlimit(resource.RLIMIT_AS, (pages * resource.getpagesize() + MEMORY, hard))
    before = signal.signal(signal.SIGALRM, hang)
    signal.alarm(LIMIT)
    try:
        yield
    finally:
        signal.alarm(0)
        signal.signal(signal.SIGALRM, before)
        resource.setrlimit(resource.RLIMIT_AS, (soft, hard))


class MemoryStore:
    """Files in memory, for readers."""

    def __init__(self, files: dict[str, bytes]) -> None:
        self._files = files

    def read(self, key: str) -> bytes:
        if key not in self._files:
            raise FileNotFoundError(f"{self.where(key)}: there is no such file")
        return self._files[key]

    def is_file(self, key: str) -> bool:
        return key in self._files

    def files(self, folder: str = "") -> list[str]:
        return sorted({rest for rest in self._below(folder) if "/" not in rest})

    def folders(self, folder: str = "") -> list[str]:
        return sorted({rest.partition("/")[0] for rest in self._below(folder) if "/" in rest})

    def _below(self, folder: str) -> list[str]:
        prefix = f"{folder}/" if folder else ""
        return [key.removeprefix(prefix) for key in self._files if key.startswith(prefix)]

    def where(self, key: str) -> str:
        return f"memory:{key}"

    def stamp(self, key: str) -> str:
        return str(hash(self._files.get(key)))


@pytest.fixture
def memory() -> type[MemoryStore]:
    """A store of files in memory: ``memory({"list.txt": b"..."})``."""
    return MemoryStore
