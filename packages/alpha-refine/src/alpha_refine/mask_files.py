"""Masks of a video in files: a folder of images, or a text file of regions as the VOT challenges write them."""

from __future__ import annotations

from pathlib import Path
from types import TracebackType
from typing import Self

import cv2
import numpy as np

VOT_START = "1"  # what stands for the first frame in result files of VOT


class MaskFolder:
    """Writes ``00000000.png``, ``00000001.png`` ... by the frames' numbers, 255 where the target is and 0 elsewhere.

    The first frame, whose mask nobody predicts, has no image.

    Raises:
        OSError: the folder cannot be made.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        path.mkdir(parents=True, exist_ok=True)

    def write(self, index: int, mask: np.ndarray | None) -> None:
        """Write the ``(H, W)`` bool mask of a frame. Raises OSError when it cannot be written."""
        if mask is None:
            return
        file = self.path / f"{index:08d}.png"
        _, data = cv2.imencode(".png", mask.astype(np.uint8) * 255)
        file.write_bytes(data.tobytes())

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Nothing is pending."""


class MaskLines:
    """Writes one region a line, for every frame; ``1`` for the first, whose mask nobody predicts.

    A frame that was left out repeats the line before it. Needs trackdata, which reads such files as well
    (:mod:`trackdata.regions`).

    Raises:
        OSError: the file cannot be written.
        ImportError: trackdata is not installed.
    """

    def __init__(self, path: Path) -> None:
        from trackdata import regions
        from trackdata.evaluation.vot.runs import cropped_mask

        self._format = lambda mask: regions.format_region(cropped_mask(mask))
        path.parent.mkdir(parents=True, exist_ok=True)
        self._file = path.open("w", buffering=1)
        self._line, self._index = VOT_START, -1

    def write(self, index: int, mask: np.ndarray | None) -> None:
        """Write the ``(H, W)`` bool mask of a frame. Raises OSError when it cannot be written."""
        self._file.write(f"{self._line}\n" * (index - self._index - 1))
        self._line, self._index = VOT_START if mask is None else self._format(mask), index
        self._file.write(f"{self._line}\n")

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._file.close()


def open_mask_sink(path: str | Path) -> MaskFolder | MaskLines:
    """A sink for ``path``: a text file of regions for ``.txt``, a folder of images for a name without suffix.

    Raises:
        ValueError: another suffix.
        OSError: it cannot be written.
    """
    path = Path(path)
    if path.suffix == ".txt":
        return MaskLines(path)
    if path.suffix and not path.is_dir():
        raise ValueError(f"{path}: masks go to a .txt file or to a folder, whose name has no suffix")
    return MaskFolder(path)
