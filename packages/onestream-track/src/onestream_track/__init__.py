"""OSTrack and DropTrack: one-stream ViT trackers with early candidate elimination.

``load_tracker``, ``load_multi_tracker`` and ``get_recipe`` need ``pip install onestream-track``; ``train`` and
``evaluate`` also need its extra ``[train]``, ``export_network`` needs ``trackcore[export]``. Everything is imported on
first use.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from onestream_track.config import Policy
    from onestream_track.evaluation import evaluate
    from onestream_track.exporting import export_network
    from onestream_track.loading import create as load_tracker
    from onestream_track.loading import create_multi as load_multi_tracker
    from onestream_track.recipes import get_recipe, recipe_names
    from onestream_track.tracker import MultiTargetTracker, OneStreamTracker
    from onestream_track.training import train

__all__ = [
    "MultiTargetTracker",
    "OneStreamTracker",
    "Policy",
    "evaluate",
    "export_network",
    "get_recipe",
    "load_multi_tracker",
    "load_tracker",
    "recipe_names",
    "train",
]

_HOMES = {
    "MultiTargetTracker": ("tracker", "MultiTargetTracker"),
    "OneStreamTracker": ("tracker", "OneStreamTracker"),
    "Policy": ("config", "Policy"),
    "evaluate": ("evaluation", "evaluate"),
    "export_network": ("exporting", "export_network"),
    "get_recipe": ("recipes", "get_recipe"),
    "load_multi_tracker": ("loading", "create_multi"),
    "load_tracker": ("loading", "create"),
    "recipe_names": ("recipes", "recipe_names"),
    "train": ("training", "train"),
}


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    module, attribute = _HOMES[name]
    return getattr(import_module(f"{__name__}.{module}"), attribute)
