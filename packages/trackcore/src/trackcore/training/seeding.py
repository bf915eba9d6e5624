"""Random numbers as a function of where the training stands, so that nothing random has to be stored to resume."""

from __future__ import annotations

import hashlib
import random

import numpy as np
import torch


def derive_seed(*parts: int | str) -> int:
    """A 63-bit seed from a path of numbers and names, for example ``(seed, "step", step, rank)``.

    Neighbouring paths give unrelated seeds, and the same path gives the same one on every machine.
    """
    digest = hashlib.blake2b(repr(parts).encode(), digest_size=8).digest()
    return int.from_bytes(digest, "little") >> 1


def seed_everything(seed: int, cuda: bool = True) -> None:
    """Seed Python's, numpy's and torch's global generators; without ``cuda``, torch's generator of the CPU only."""
    random.seed(seed)
    np.random.seed(seed % 2**32)  # noqa: NPY002 - third-party augmentations draw from the global generator
    if cuda:
        torch.manual_seed(seed)
    else:
        torch.default_generator.manual_seed(seed)
