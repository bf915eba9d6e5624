"""The published test configurations by name. Nothing here imports torch."""

from __future__ import annotations

import difflib

from sparse_track.config import TrackingConfig

# Each goes with one of two checkpoints: got10k with that of the recipe got10k, all others with that of fulldata.
CONFIGURATIONS = {
    "got10k": TrackingConfig(test_lr=0.95, window_influence=0.21, penalty_k=0.04),
    "lasot": TrackingConfig(test_lr=0.95, window_influence=0.21, penalty_k=0.04),
    "trackingnet": TrackingConfig(test_lr=0.95, window_influence=0.21, penalty_k=0.04),
    "otb2015": TrackingConfig(test_lr=0.626, window_influence=0.2549, penalty_k=0.053),
    "uav123": TrackingConfig(test_lr=0.7364, window_influence=0.2398, penalty_k=0.0734),
}


def get_configuration(name: str) -> TrackingConfig:
    """The hyper-parameters published for a benchmark.

    Raises:
        ValueError: none has this name; the message gives the nearest and all.
    """
    if name not in CONFIGURATIONS:
        near = difflib.get_close_matches(name, CONFIGURATIONS, n=1)
        hint = f"; did you mean {near[0]!r}?" if near else ""
        raise ValueError(f"no test configuration is called {name!r}{hint} (known: {', '.join(CONFIGURATIONS)})")
    return CONFIGURATIONS[name]
