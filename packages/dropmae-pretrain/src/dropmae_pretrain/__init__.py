"""DropMAE: masked auto-encoding of frame pairs with spatial-attention dropout (Wu et al., CVPR 2023).

Everything is imported on first use.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from dropmae_pretrain.export import convert
    from dropmae_pretrain.loading import load_network
    from dropmae_pretrain.recipes import get_recipe, recipe_names
    from dropmae_pretrain.training import train

__all__ = ["convert", "get_recipe", "load_network", "recipe_names", "train"]

_HOMES = {
    "convert": "export",
    "get_recipe": "recipes",
    "load_network": "loading",
    "recipe_names": "recipes",
    "train": "training",
}


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)
