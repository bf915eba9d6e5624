"""The randomness of training samples: one independent stream for every (seed, epoch, index)."""

from __future__ import annotations

import numpy as np


def sample_generator(seed: int, epoch: int, index: int) -> np.random.Generator:
    """The random generator of one sample: counter-based, so any sample can be drawn without those before it.

    Args:
        seed, epoch, index: integers from 0 to 2**64 - 1. Different triples give independent streams.
    """
    key = np.array([seed, epoch], dtype=np.uint64)
    counter = np.array([0, 0, 0, index], dtype=np.uint64)  # the low words count the numbers drawn
    return np.random.Generator(np.random.Philox(key=key, counter=counter))
