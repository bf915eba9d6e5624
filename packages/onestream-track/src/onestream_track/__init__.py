"""OSTrack and DropTrack: one-stream ViT trackers with early candidate elimination.

``load_tracker`` and ``get_recipe`` need ``pip install onestream-track``; ``train`` and ``evaluate`` also need its extra
``[train]``. Everything is imported on first use.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from onestream_track.evaluation import evaluate
    from onestream_track.recipes import get_recipe, recipe_names
    from onestream_track.tracker import OneStreamTracker
    from onestream_track.tracker import create as load_tracker
    from onestream_track.training import train

__all__ = ["OneStreamTracker", "evaluate", "get_recipe", "load_tracker", "recipe_names", "train"]

_HOMES = {
    "OneStreamTracker": ("tracker", "OneStreamTracker"),
    "evaluate": ("evaluation", "evaluate"),
    "get_recipe": ("recipes", "get_recipe"),
    "load_tracker": ("tracker", "create"),
    "recipe_names": ("recipes", "recipe_names"),
    "train": ("training", "train"),
}


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    module, attribute = _HOMES[name]
    return getattr(import_module(f"{__name__}.{module}"), attribute)
