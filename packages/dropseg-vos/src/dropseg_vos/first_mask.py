"""Masks that users bring: label maps in files and arrays, refused with a reason or mended where they cannot be one."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
from PIL import Image

from trackdata.errors import AnnotationError
from trackdata.labels import DAVIS_PALETTE, decode_labels

LARGEST = 65535
_NEAR = 4  # pixels that a mask may differ from its frame in size and still be mended
_SMALL = 3  # pixels across: an object that nowhere holds a square of this side may be a smoothed edge
_FEW = 2  # so many objects that small are believed


class MaskError(ValueError):
    """A mask cannot be one of objects in this frame; the message says what is wrong and what to do."""


def read_mask(path: str | Path, size: tuple[int, int], *, mend: bool = False) -> np.ndarray:
    """A label map from an image file: palette, grey, black-and-white, 16-bit grey, or the colours of DAVIS.

    The palette of a palette image plays no part: its indices are the objects.

    Args:
        path: the file.
        size: (height, width) of the frame that it belongs to.
        mend: repair smoothed edges and sizes that are a few pixels off instead of refusing them.

    Returns:
        ``(H, W)`` uint8 or uint16.

    Raises:
        MaskError: the file is missing or damaged, or :func:`check_mask` refuses the mask.
    """
    path = Path(path)
    try:
        data = path.read_bytes()
    except OSError as error:
        raise MaskError(f"{path}: the mask cannot be read ({error.strerror})") from error
    try:
        labels = decode_labels(data, path)
    except AnnotationError as error:
        labels = _from_colours(path, error)
    return check_mask(labels, size, mend=mend, source=str(path))


def check_mask(mask: np.ndarray, size: tuple[int, int], *, mend: bool = False, source: str = "the mask") -> np.ndarray:
    """A label map that belongs to a frame of ``size``.

    Args:
        mask: ``(H, W)`` integers, or bool for one object.
        size: (height, width).
        mend: repair what can be: a size that differs by a few pixels is resized to the frame's, and pixels of smoothed
            edges go to the nearest object or background.
        source: what to call it in errors.

    Returns:
        ``(H, W)`` uint8 or uint16, numbers as they were, 1 for bool.

    Raises:
        MaskError: another type or shape, numbers out of range, no object, another size than the frame, or edges that
            were smoothed, which would make an object of each grey level.
    """
    labels = np.asarray(mask)
    if labels.ndim != 2 or labels.dtype.kind not in "bui":
        raise MaskError(
            f"{source} must be an (H, W) array of integers or bool, got {labels.dtype} {labels.shape}; "
            "give numbers of objects, 0 for the background"
        )
    if labels.size and (int(labels.min()) < 0 or int(labels.max()) > LARGEST):
        raise MaskError(f"{source}: numbers of objects lie in 0..{LARGEST}, got {labels.min()}..{labels.max()}")
    labels = labels.astype(np.uint16 if labels.size and labels.max() > 255 else np.uint8)
    if labels.shape != tuple(size):
        labels = _resized(labels, size, mend, source)
    labels = _without_edges(labels, mend, source)
    if not labels.any():
        raise MaskError(f"{source} shows no object: all of it is 0")
    return labels


def _resized(labels: np.ndarray, size: tuple[int, int], mend: bool, source: str) -> np.ndarray:
    height, width = size
    near = max(abs(labels.shape[0] - height), abs(labels.shape[1] - width)) <= _NEAR
    if not (mend and near):
        advice = "allow it to be mended" if near else "make it for this video's frames"
        raise MaskError(f"{source} is {labels.shape[1]} x {labels.shape[0]}, its frame {width} x {height}; {advice}")
    return cv2.resize(labels, (width, height), interpolation=cv2.INTER_NEAREST_EXACT)


def _without_edges(labels: np.ndarray, mend: bool, source: str) -> np.ndarray:
    """The map when its edges are sharp. Smoothed ones show as many numbers that nowhere cover a small square."""
    numbers = np.unique(labels)
    solid = _solid(labels)
    covering = np.unique(labels[solid])
    thin = np.setdiff1d(numbers, covering)
    if len(thin) <= _FEW or len(thin) < len(np.setdiff1d(covering, 0)):
        return labels
    if not mend or not (covering > 0).any():
        raise MaskError(
            f"{source} has {len(numbers) - 1} numbers besides 0, of which {len(thin)} (such as "
            f"{', '.join(map(str, thin[:4].tolist()))}) only occur along edges: it was smoothed or compressed. Save it "
            "without antialiasing as PNG, or allow it to be mended"
        )
    inside = np.isin(labels, covering)
    _, nearest = cv2.distanceTransformWithLabels(
        (~inside).astype(np.uint8), cv2.DIST_L2, 5, labelType=cv2.DIST_LABEL_PIXEL
    )
    # where the nearest zero pixel of each numbered cell lies
    lookup = np.zeros(nearest.max() + 1, labels.dtype)
    lookup[nearest[inside]] = labels[inside]
    return lookup[nearest]


def _solid(labels: np.ndarray) -> np.ndarray:
    """``(H, W)`` bool: pixels in the middle of a square of one number; outside of the map everything matches."""
    kernel = np.ones((_SMALL, _SMALL), np.uint8)
    return cv2.dilate(labels, kernel) == cv2.erode(labels, kernel)


def _from_colours(path: Path, error: AnnotationError) -> np.ndarray:
    """Numbers of objects from a colour image: grey in all channels, or painted in the palette of DAVIS."""
    try:
        with Image.open(path) as image:
            colours = np.asarray(image.convert("RGB"))
    except (OSError, SyntaxError, ValueError, Image.DecompressionBombError):
        raise MaskError(str(error)) from error
    if (colours == colours[:, :, :1]).all():
        return colours[:, :, 0]
    codes = colours.astype(np.int64) @ np.array([65536, 256, 1])
    known = DAVIS_PALETTE.astype(np.int64) @ np.array([65536, 256, 1])
    strange = np.setdiff1d(codes, known)
    if len(strange):
        raise MaskError(
            f"{path} is a colour image, of whose {len(np.unique(codes))} colours {len(strange)} (such as "
            f"#{strange[0]:06x}) are not in the palette of DAVIS, so its objects are not known; save a palette or grey "
            "image with one number for each object"
        )
    order = np.argsort(known)
    return order[np.searchsorted(known[order], codes)].astype(np.uint8)
