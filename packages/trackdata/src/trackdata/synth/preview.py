"""Looking at generated video: a contact sheet and a film."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np

from trackdata.sequences import Dataset
from trackdata.synth.sequence import SynthSequence


def contact_sheet(dataset: Dataset, path: Path, rows: int = 6, columns: int = 5, width: int = 320) -> Path:
    """Write a PNG with one sequence per row, ``columns`` frames spread over it, boxes drawn.

    Args:
        dataset: its first ``rows`` sequences are shown.
        width: of each picture in pixels; heights follow from the first frame.

    Raises:
        ValueError: the dataset is empty, or rows or columns below one.
    """
    rows = min(rows, len(dataset))
    if rows < 1 or columns < 1:
        raise ValueError(
            f"a contact sheet needs at least one row and column, got {rows} and {columns} of {dataset.name}"
        )
    height = None
    strips = []
    for row in range(rows):
        sequence = dataset[row]
        pictures = []
        for index in np.linspace(0, len(sequence) - 1, columns).round().astype(int):
            frame = sequence.frames[int(index)].copy()
            if index < len(sequence.boxes) and sequence.valid[index]:
                x, y, w, h = np.round(sequence.boxes[index]).astype(int).tolist()
                cv2.rectangle(frame, (x - 1, y - 1), (x + w, y + h), (255, 64, 0), 1)
            height = height or round(frame.shape[0] * width / frame.shape[1])
            pictures.append(cv2.resize(frame, (width, height), interpolation=cv2.INTER_AREA))
        strips.append(np.hstack(pictures))
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    _, data = cv2.imencode(".png", cv2.cvtColor(np.vstack(strips), cv2.COLOR_RGB2BGR))
    path.write_bytes(data.tobytes())
    return path


def write_video(sequence: SynthSequence, path: Path, fps: float = 30.0) -> Path:
    """Write ``sequence`` to a video file whose kind follows from the name's ending, for example ``.mp4``."""
    from trackcore.video import open_sink  # video files need PyAV, generating needs not

    path = Path(path)
    with open_sink(path, fps) as sink:
        for frame in sequence.frames():
            sink.write(frame)
    return path
