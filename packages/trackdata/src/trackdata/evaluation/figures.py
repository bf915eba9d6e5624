"""Pictures of a report: curve plots as SVG, frames with boxes as JPEG. Matplotlib and OpenCV are imported on use."""

from __future__ import annotations

import base64
import io
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from textwrap import fill
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

TRUTH_COLOR = "#00d26a"
_HALO = (16, 24, 40)  # drawn under every box, so that it shows on busy frames
TRACKER_COLORS = ("#f04438", "#2970ff", "#9b51e0", "#f79009", "#0e9384", "#ee46bc", "#667085", "#7a5901")


@dataclass(frozen=True)
class Line:
    """One curve of a plot."""

    label: str
    color: str
    values: np.ndarray


@dataclass(frozen=True)
class Still:
    """One frame of a strip.

    Attributes:
        index: frame number.
        image: RGB uint8, scaled down, with boxes drawn.
    """

    index: int
    image: np.ndarray


def tracker_color(position: int) -> str:
    """The colour of the tracker at ``position`` in plots and overlays, as ``#rrggbb``."""
    return TRACKER_COLORS[position % len(TRACKER_COLORS)]


def plot_curves(title: str, x_label: str, thresholds: np.ndarray, lines: Sequence[Line]) -> str:
    """A plot of shares in per cent over thresholds, as the text of an SVG file."""
    with _figure(title, (4.6, 3.7)) as (figure, axes):
        for line in lines:
            axes.plot(thresholds, 100 * line.values, color=line.color, linewidth=2, label=line.label)
        axes.set_xlabel(x_label)
        axes.set_ylabel("frames, %")
        axes.set_xlim(thresholds[0], thresholds[-1])
        axes.set_ylim(0, 102)
        axes.grid(color="#eaecf0")
        axes.legend(frameon=False, fontsize=9, loc="best")
        return _svg(figure)


def plot_bars(
    title: str,
    y_label: str,
    labels: Sequence[str],
    groups: Mapping[str, Sequence[float]],
    colors: Mapping[str, str],
) -> str:
    """Bars in per cent, one group per label and one bar in it per tracker, as the text of an SVG file.

    Args:
        labels: from left to right.
        groups: by tracker one value per label; NaN draws no bar.
        colors: ``#rrggbb`` by tracker.
    """
    step = 0.82 / len(groups)
    with _figure(title, (14.2, 3.7)) as (figure, axes):
        places = np.arange(len(labels))
        for position, (tracker, values) in enumerate(groups.items()):
            offset = (position - (len(groups) - 1) / 2) * step
            axes.bar(places + offset, np.nan_to_num(values), 0.9 * step, color=colors[tracker], label=tracker)
        axes.set_xticks(places, [fill(label, 12) for label in labels], fontsize=9)
        axes.set_xlim(-0.6, len(labels) - 0.4)
        axes.set_ylim(0, 100)
        axes.set_ylabel(y_label)
        axes.tick_params(axis="x", length=0)
        axes.grid(axis="y", color="#eaecf0")
        figure.legend(frameon=False, fontsize=9, ncols=min(len(groups), 8), loc="outside upper right")
        return _svg(figure)


@contextmanager
def _figure(title: str, size: tuple[float, float]) -> Iterator[tuple[Figure, Axes]]:
    """An empty plot in the report's style, ``size`` in inches."""
    from matplotlib import rc_context
    from matplotlib.backends.backend_svg import FigureCanvasSVG
    from matplotlib.figure import Figure

    style = {
        "svg.hashsalt": title,  # the same input gives the same bytes
        "font.family": "DejaVu Sans",  # comes with Matplotlib, so the plot looks the same everywhere
        "font.size": 10,
        "axes.edgecolor": "#98a2b3",
        "axes.labelcolor": "#344054",
        "xtick.color": "#475467",
        "ytick.color": "#475467",
    }
    with rc_context(style):
        figure = Figure(figsize=size, layout="constrained")
        FigureCanvasSVG(figure)
        axes = figure.add_subplot()
        axes.set_title(title, loc="left", fontsize=11, fontweight="bold", color="#101828")
        axes.set_axisbelow(True)
        axes.spines[["top", "right"]].set_visible(False)
        yield figure, axes


def _svg(figure: Figure) -> str:
    buffer = io.StringIO()
    figure.savefig(buffer, format="svg", metadata={"Date": None})
    return buffer.getvalue()


def strip(
    sequence_frames: Sequence[np.ndarray],
    truth: np.ndarray,
    tracks: Mapping[str, np.ndarray],
    colors: Mapping[str, str],
    count: int = 6,
    width: int = 360,
) -> list[Still]:
    """``count`` frames spread evenly over a sequence, the annotated box and each tracker's drawn in.

    Args:
        sequence_frames: frames of the sequence, read when indexed.
        truth: ``(N, 4)`` annotated boxes; rows that are NaN or empty are not drawn.
        tracks: ``(M, 4)`` boxes by tracker.
        colors: ``#rrggbb`` by tracker.
        width: of the pictures, in pixels.

    Raises:
        OSError: a frame cannot be read.
    """
    import cv2

    from trackcore.overlay import draw_boxes

    stills = []
    for index in sorted(set(np.linspace(0, len(truth) - 1, count).round().astype(int).tolist())):
        frame = sequence_frames[index]
        scale = width / frame.shape[1]
        size = (width, max(1, round(frame.shape[0] * scale)))
        picture = cv2.resize(frame, size, interpolation=cv2.INTER_AREA if scale < 1 else cv2.INTER_LINEAR)
        layers = [*((boxes, colors[name]) for name, boxes in tracks.items()), (truth, TRUTH_COLOR)]
        shown = [(rows[index] * scale, rgb(color)) for rows, color in layers if _drawable(rows, index)]
        if shown:
            boxes, inks = zip(*shown, strict=True)
            pixel = 480 / min(picture.shape[:2])  # draw_boxes counts widths in pixels of a picture with 480 lines
            picture = draw_boxes(picture, boxes, [_HALO], thickness=5 * pixel)
            picture = draw_boxes(picture, boxes, inks, thickness=3 * pixel)
        stills.append(Still(index, picture))
    return stills


def _drawable(rows: np.ndarray, index: int) -> bool:
    return index < len(rows) and bool(np.isfinite(rows[index]).all() and (rows[index, 2:] > 0).all())


def side_by_side(stills: Sequence[Still], gap: int = 4) -> np.ndarray:
    """One picture of all stills in a row, white between them."""
    height = max(still.image.shape[0] for still in stills)
    columns = []
    for still in stills:
        padded = np.full((height, still.image.shape[1] + gap, 3), 255, np.uint8)
        padded[: still.image.shape[0], : still.image.shape[1]] = still.image
        columns.append(padded)
    return np.concatenate(columns, axis=1)[:, :-gap]


def jpeg(image: np.ndarray, quality: int = 86) -> bytes:
    """RGB uint8 ``(H, W, 3)`` as the bytes of a JPEG file."""
    import cv2

    _, encoded = cv2.imencode(".jpg", image[..., ::-1], [cv2.IMWRITE_JPEG_QUALITY, quality])
    return encoded.tobytes()


def data_uri(content: bytes, kind: str) -> str:
    """``content`` inlined as an address a page can show; ``kind`` is a media type."""
    return f"data:{kind};base64,{base64.b64encode(content).decode('ascii')}"


def rgb(color: str) -> tuple[int, int, int]:
    """``#rrggbb`` as three integers."""
    return int(color[1:3], 16), int(color[3:5], 16), int(color[5:7], 16)
