"""SparseTT: a Siamese Swin tracker with top-k sparse attention (IJCAI 2022).

``load_tracker`` and ``get_recipe`` need ``pip install sparse-track``; ``train`` and ``evaluate`` also need its extra
``[train]``, ``tune`` needs ``[tune]`` besides. Everything is imported on first use.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from sparse_track.evaluation import evaluate
    from sparse_track.exporting import export_tracker
    from sparse_track.loading import create as load_tracker
    from sparse_track.loading import load_network
    from sparse_track.recipes import get_recipe, recipe_names
    from sparse_track.tracker import SparseTracker
    from sparse_track.training import train
    from sparse_track.tuning import tune

__all__ = [
    "SparseTracker",
    "evaluate",
    "export_tracker",
    "get_recipe",
    "load_network",
    "load_tracker",
    "recipe_names",
    "train",
    "tune",
]

_HOMES = {
    "SparseTracker": ("tracker", "SparseTracker"),
    "evaluate": ("evaluation", "evaluate"),
    "export_tracker": ("exporting", "export_tracker"),
    "get_recipe": ("recipes", "get_recipe"),
    "load_network": ("loading", "load_network"),
    "load_tracker": ("loading", "create"),
    "recipe_names": ("recipes", "recipe_names"),
    "train": ("training", "train"),
    "tune": ("tuning", "tune"),
}


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    module, attribute = _HOMES[name]
    return getattr(import_module(f"{__name__}.{module}"), attribute)
