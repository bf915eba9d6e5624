"""Position tables of ViTs: fixed sine-cosine grids, and learned tables resampled to another grid.

A table is ``(1, H * W, C)``, rows of the grid one after the other; a leading class slot makes it ``(1, 1 + H * W, C)``.
"""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F
from torch import Tensor

# Of small networks that start from scratch. Tokens leave an untrained stem small: positions of full size would drown
# what they look like, and attention would match places instead of contents.
SCRATCH_SCALE = 0.1


def sincos_2d(width: int, height: int, columns: int, *, class_slot: bool = False, temperature: float = 10000) -> Tensor:
    """The fixed 2-d sine-cosine table of MAE and DropMAE.

    The first half of the channels encodes the column, the second half the row; inside each half first sines, then
    cosines, with frequencies ``temperature ** (-k / (width / 4))``.

    Args:
        width: C, a multiple of 4.
        height, columns: grid size.
        class_slot: prepend a zero row.

    Returns:
        ``(1, [1 +] height * columns, width)`` float32.

    Raises:
        ValueError: width is not a multiple of 4.
    """
    if width % 4:
        raise ValueError(f"a 2-d sine-cosine table needs a width that is a multiple of 4, got {width}")
    frequency = temperature ** (-torch.arange(width // 4, dtype=torch.float64) / (width / 4))
    row, column = torch.meshgrid(
        torch.arange(height, dtype=torch.float64), torch.arange(columns, dtype=torch.float64), indexing="ij"
    )
    halves = []
    for position in (column, row):
        angle = position.reshape(-1, 1) * frequency
        halves += [angle.sin(), angle.cos()]
    table = torch.cat(halves, dim=1)
    if class_slot:
        table = F.pad(table, (0, 0, 1, 0))
    return table.float()[None]


def grid_of(table: Tensor, *, class_slot: bool) -> tuple[int, int]:
    """Side lengths of the square grid a table was made for. Raises ValueError when it is not square."""
    tokens = table.shape[1] - int(class_slot)
    side = math.isqrt(tokens)
    if side * side != tokens:
        raise ValueError(f"a table of {tokens} positions is not a square grid")
    return side, side


def resample_grid(table: Tensor, old: tuple[int, int], new: tuple[int, int]) -> Tensor:
    """Bicubic resampling (coefficient -0.75, pixel centres, no antialiasing) of a table without class slot.

    Args:
        table: ``(1, old[0] * old[1], C)``.

    Returns:
        ``(1, new[0] * new[1], C)`` in the same dtype. Equal grids are resampled too, which is the identity.
    """
    grid = table.reshape(1, *old, -1).permute(0, 3, 1, 2)
    grid = F.interpolate(grid, size=new, mode="bicubic", align_corners=False)
    return grid.flatten(2).transpose(1, 2)


def resize_patch_kernel(weight: Tensor, size: int) -> Tensor:
    """Resize patch-embedding kernels ``(C, 3, P, P)`` to ``(C, 3, size, size)``.

    Bicubic without rescaling of the values, as the one-stream trackers do for strides other than the pre-training's.
    """
    if weight.shape[-1] == size:
        return weight
    return F.interpolate(weight, size=(size, size), mode="bicubic", align_corners=False)
