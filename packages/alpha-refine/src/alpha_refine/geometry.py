"""Boxes of masks, boxes kept in the frame, and first boxes, as the published scripts compute them."""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np

SMALLEST_CONTOUR = 100.0  # square pixels; less is no object


def box_of_mask(mask: np.ndarray, fallback: np.ndarray, threshold: float = 0.5) -> np.ndarray:
    """Box around the largest connected part of a mask.

    Args:
        mask: ``(H, W)`` probabilities or bool; pixels above ``threshold`` count.
        fallback: returned when no outer contour, drawn through pixel centres, encloses more than 100 square pixels.

    Returns:
        ``(4,)`` float64 x, y, w, h from the outermost pixels' outer edges.
    """
    inside = np.ascontiguousarray(np.asarray(mask) > threshold, np.uint8)
    contours, _ = cv2.findContours(inside, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)
    largest = max(contours, key=cv2.contourArea, default=None)
    if largest is None or cv2.contourArea(largest) <= SMALLEST_CONTOUR:
        return np.asarray(fallback, np.float64).copy()
    return np.array(cv2.boundingRect(largest), np.float64)


def clip_to_border(box: np.ndarray, frame_size: tuple[int, int], margin: float = 10.0) -> np.ndarray:
    """Keep a box near the frame, as the published scripts do before they hand it to a tracker.

    The left edge lies in [0, W - margin], the right one in [margin, W], top and bottom alike. Unlike
    :func:`trackcore.boxes.clip_to_frame` this says nothing about the sides: a box of 2 pixels in the middle keeps them,
    and so does one whose corners cross.

    Args:
        box: x, y, w, h in pixels.
        frame_size: (height, width).
        margin: in pixels.
    """
    height, width = frame_size
    x, y, w, h = np.asarray(box, np.float64)
    left, right = max(0.0, min(x, width - margin)), max(margin, min(x + w, width))
    top, bottom = max(0.0, min(y, height - margin)), max(margin, min(y + h, height))
    return np.array([left, top, right - left, bottom - top])


def first_box(region: Sequence[float]) -> np.ndarray:
    """The box with which the published scripts start, from an annotation.

    A rectangle moves by half a pixel. A polygon of four corners becomes a box around the mean of its corners, whose
    sides are those of the enclosing rectangle, shrunk to the polygon's area as for a parallelogram, plus one pixel.

    Args:
        region: x, y, w, h, or eight numbers x1, y1, ..., x4, y4.

    Raises:
        ValueError: another number of numbers.
    """
    numbers = np.asarray(region, np.float64).reshape(-1)
    if len(numbers) == 4:
        return numbers + np.array([0.5, 0.5, 0, 0])
    if len(numbers) != 8:
        raise ValueError(f"a region has 4 or 8 numbers, got {len(numbers)}")
    points = numbers.reshape(4, 2)
    extent = points.max(axis=0) - points.min(axis=0)
    area = np.linalg.norm(points[0] - points[1]) * np.linalg.norm(points[1] - points[2])
    sides = np.sqrt(area / extent.prod()) * extent + 1
    return np.concatenate([points.mean(axis=0) - (sides - 1) / 2, sides])
