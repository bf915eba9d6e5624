"""Precise boxes and masks on top of any tracker (Alpha-Refine, CVPR 2021).

``load_refiner``, ``load_tracker`` and what belongs to them need ``pip install alpha-refine``; ``train`` also needs its
extra ``[train]``. Everything is imported on first use.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from alpha_refine.loading import load_refiner
    from alpha_refine.recipes import get_recipe, recipe_names
    from alpha_refine.refined_tracker import RefinedTracker
    from alpha_refine.refined_tracker import create as load_tracker
    from alpha_refine.refiner import Refiner
    from alpha_refine.replay import ReplayTracker
    from alpha_refine.rules import Rules, get_rules
    from alpha_refine.training import train

__all__ = [
    "RefinedTracker",
    "Refiner",
    "ReplayTracker",
    "Rules",
    "get_recipe",
    "get_rules",
    "load_refiner",
    "load_tracker",
    "recipe_names",
    "train",
]

_HOMES = {
    "RefinedTracker": ("refined_tracker", "RefinedTracker"),
    "Refiner": ("refiner", "Refiner"),
    "ReplayTracker": ("replay", "ReplayTracker"),
    "Rules": ("rules", "Rules"),
    "get_recipe": ("recipes", "get_recipe"),
    "get_rules": ("rules", "get_rules"),
    "load_refiner": ("loading", "load_refiner"),
    "load_tracker": ("refined_tracker", "create"),
    "recipe_names": ("recipes", "recipe_names"),
    "train": ("training", "train"),
}


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    module, attribute = _HOMES[name]
    return getattr(import_module(f"{__name__}.{module}"), attribute)
