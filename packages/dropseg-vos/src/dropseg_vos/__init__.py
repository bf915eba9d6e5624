"""One-shot video object segmentation from DropMAE (DropSeg, CVPR 2023).

``load_segmenter``, ``load_tracker`` and what belongs to them need ``pip install dropseg-vos``; ``train`` also needs its
extra ``[train]``. Everything is imported on first use.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from dropseg_vos.box_tracker import create as load_tracker
    from dropseg_vos.evaluation import evaluate
    from dropseg_vos.first_mask import read_mask
    from dropseg_vos.loading import load_segmenter
    from dropseg_vos.recipes import get_recipe, recipe_names
    from dropseg_vos.segmenter import Segmenter
    from dropseg_vos.sizes import Sizing
    from dropseg_vos.training import train

__all__ = [
    "Segmenter",
    "Sizing",
    "evaluate",
    "get_recipe",
    "load_segmenter",
    "load_tracker",
    "read_mask",
    "recipe_names",
    "train",
]

_HOMES = {
    "Segmenter": ("segmenter", "Segmenter"),
    "Sizing": ("sizes", "Sizing"),
    "evaluate": ("evaluation", "evaluate"),
    "get_recipe": ("recipes", "get_recipe"),
    "load_segmenter": ("loading", "load_segmenter"),
    "load_tracker": ("box_tracker", "create"),
    "read_mask": ("first_mask", "read_mask"),
    "recipe_names": ("recipes", "recipe_names"),
    "train": ("training", "train"),
}


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    module, attribute = _HOMES[name]
    return getattr(import_module(f"{__name__}.{module}"), attribute)
