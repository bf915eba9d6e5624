"""Which device to compute on, and what it can do."""

from __future__ import annotations

from functools import lru_cache

import torch


def pick_device(name: str = "auto") -> torch.device:
    """``auto`` is CUDA, else Apple's MPS, else the CPU; other names are torch's.

    Raises:
        ValueError: torch cannot use the device.
    """
    if name != "auto":
        try:
            torch.empty(0, device=name)
        except (RuntimeError, AssertionError) as error:
            raise ValueError(f"device {name!r} cannot be used here ({error}); try 'auto' or 'cpu'") from error
        return torch.device(name)
    if torch.cuda.is_available():
        return torch.device("cuda")
    return torch.device("mps" if torch.backends.mps.is_available() else "cpu")


@lru_cache(maxsize=1)
def cpu_has_bf16() -> bool:
    """Whether this processor multiplies bfloat16 matrices with instructions of its own (AVX-512 BF16, AMX).

    Where it has none, PyTorch emulates them, up to a hundred times slower than float32. Processors that are not x86
    are not asked and count as having none.
    """
    known = ("_is_avx512_bf16_supported", "_is_amx_tile_supported")
    return any(getattr(torch.cpu, name, lambda: False)() for name in known)
