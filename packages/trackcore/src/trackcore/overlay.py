"""Boxes, labels and masks drawn onto copies of frames.

Line width and letters grow with the picture, so that a label that reads well at 480 lines does at 2160. Boxes are
``(x, y, w, h)`` in pixels and may lie partly or wholly outside; images are RGB uint8 ``(H, W, 3)``.
"""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np

from trackcore.tracker import check_frame

Color = tuple[int, int, int]

# Well apart from each other for colour-blind eyes too (Okabe and Ito, 2008), the first one first.
PALETTE: tuple[Color, ...] = (
    (255, 64, 0),
    (86, 180, 233),
    (0, 158, 115),
    (240, 228, 66),
    (204, 121, 167),
    (0, 114, 178),
)

_REFERENCE_LINES = 480  # height at which ``thickness`` is in pixels and letters are about 11 pixels high
_FONT = cv2.FONT_HERSHEY_SIMPLEX


def draw_box(
    image: np.ndarray, box: Sequence[float], color: Color = PALETTE[0], label: str | None = None, thickness: float = 2
) -> np.ndarray:
    """Return a copy of ``image`` with one box.

    Args:
        image: RGB uint8 ``(H, W, 3)``.
        box: x, y, w, h in pixels. A box with NaN (no target) draws nothing, its label included; of a box that leaves
            the frame the visible part is drawn, and its label stays inside.
        color: RGB.
        label: text above the box, such as a name and a score; it is black or white on ``color``.
        thickness: width of the line in pixels of a picture with 480 lines; never thinner than one pixel.

    Raises:
        ValueError: the image is no RGB uint8 image or the box has no four numbers.
    """
    return draw_boxes(image, [box], [color], None if label is None else [label], thickness)


def draw_boxes(
    image: np.ndarray,
    boxes: Sequence[Sequence[float]],
    colors: Sequence[Color] = PALETTE,
    labels: Sequence[str] | None = None,
    thickness: float = 2,
) -> np.ndarray:
    """Return a copy of ``image`` with several boxes; labels lie above all lines.

    Args:
        image: RGB uint8 ``(H, W, 3)``.
        boxes: N boxes as in :func:`draw_box`.
        colors: RGB, used in turn.
        labels: N texts, or None; an empty text draws nothing.
        thickness: as in :func:`draw_box`.

    Raises:
        ValueError: as :func:`draw_box`; or the numbers of boxes and labels differ.
    """
    drawn = check_frame(image).copy()
    if labels is not None and len(labels) != len(boxes):
        raise ValueError(f"{len(boxes)} boxes need as many labels, got {len(labels)}")
    corners = [_corners(box, drawn.shape[:2]) for box in boxes]
    scale = min(drawn.shape[:2]) / _REFERENCE_LINES
    width = max(1, round(thickness * scale))
    for index, corner in enumerate(corners):
        if corner is not None:
            cv2.rectangle(drawn, corner[:2], corner[2:], colors[index % len(colors)], width)
    for index, (corner, label) in enumerate(zip(corners, labels or (), strict=False)):
        if corner is not None and label:
            _draw_label(drawn, label, corner, colors[index % len(colors)], scale, width)
    return drawn


def draw_mask(image: np.ndarray, mask: np.ndarray, color: Color = PALETTE[0], alpha: float = 0.5) -> np.ndarray:
    """Return a copy of ``image`` whose pixels under ``mask`` are ``(1 - alpha) * pixel + alpha * color``.

    Args:
        image: RGB uint8 ``(H, W, 3)``.
        mask: ``(H, W)`` bool, or numbers of which those that are not zero count.
        color: RGB.
        alpha: 0 (nothing) to 1 (opaque).

    Raises:
        ValueError: sizes differ, ``alpha`` is out of range, or the image is no RGB uint8 image.
    """
    drawn = check_frame(image).copy()
    inside = np.asarray(mask).astype(bool)
    if inside.shape != drawn.shape[:2]:
        raise ValueError(f"a mask has the size of its image, {drawn.shape[:2]}; got {inside.shape}")
    if not 0 <= alpha <= 1:
        raise ValueError(f"alpha lies between 0 and 1, got {alpha}")
    blended = (1 - alpha) * drawn[inside] + alpha * np.asarray(color, np.float64)
    drawn[inside] = np.round(blended).astype(np.uint8)
    return drawn


def _corners(box: Sequence[float], size: tuple[int, int]) -> tuple[int, int, int, int] | None:
    """First and last pixel column and row of a box; None where there is no box."""
    values = np.asarray(box, dtype=np.float64).reshape(-1)
    if values.shape != (4,):
        raise ValueError(f"a box has four numbers x, y, w, h; got {values.size}: {values.tolist()}")
    if np.isnan(values).any():
        return None
    x, y, w, h = values
    # OpenCV draws with 16 fractional bits in 32: far corners would wrap around, so they move to where nobody sees them.
    margin = max(size)
    left, right = np.clip([x, max(x, x + w - 1)], -margin, size[1] + margin)
    top, bottom = np.clip([y, max(y, y + h - 1)], -margin, size[0] + margin)
    return round(left), round(top), round(right), round(bottom)


def _draw_label(
    image: np.ndarray, label: str, corners: tuple[int, int, int, int], color: Color, scale: float, width: int
) -> None:
    """Text on a filled rectangle above the box, or below its upper edge for want of room; always inside the image."""
    height, columns = image.shape[:2]
    font, weight = 0.5 * max(scale, 0.7), max(1, round(scale))  # below 0.35 Hershey letters cannot be read
    (text, above), below = cv2.getTextSize(label, _FONT, font, weight)
    if text > 0.95 * columns:
        font *= 0.95 * columns / text
        (text, above), below = cv2.getTextSize(label, _FONT, font, weight)
    pad = max(1, round(3 * scale))
    full_width, full_height = text + 2 * pad, above + below + 2 * pad
    left, top = corners[0] - width // 2, corners[1] - width // 2 - full_height
    if top < 0:
        top = corners[1] + width // 2 + 1
    left = int(np.clip(left, 0, max(0, columns - full_width)))
    top = int(np.clip(top, 0, max(0, height - full_height)))
    cv2.rectangle(image, (left, top), (left + full_width - 1, top + full_height - 1), color, cv2.FILLED)
    luminance = 0.299 * color[0] + 0.587 * color[1] + 0.114 * color[2]
    ink = (0, 0, 0) if luminance > 110 else (255, 255, 255)
    cv2.putText(image, label, (left + pad, top + pad + above), _FONT, font, ink, weight, cv2.LINE_AA)
