"""A small visible training loop on Hugging Face Accelerate.

Importing this package, :mod:`~trackcore.training.config` and :mod:`~trackcore.training.schedules` loads no torch; the
loop itself does, on first use.
"""

from typing import TYPE_CHECKING, Any

from trackcore.training.config import Counted, LoopConfig, Progress, Summary, Task

if TYPE_CHECKING:
    from trackcore.training.loop import NonFiniteError, ResumeError, SampleError, Trainer

__all__ = [
    "Counted",
    "LoopConfig",
    "NonFiniteError",
    "Progress",
    "ResumeError",
    "SampleError",
    "Summary",
    "Task",
    "Trainer",
]
_LAZY = {"NonFiniteError", "ResumeError", "SampleError", "Trainer"}


def __getattr__(name: str) -> Any:
    if name not in _LAZY:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from trackcore.training import loop

    return getattr(loop, name)
