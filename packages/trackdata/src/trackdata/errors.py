"""What reading a dataset may raise."""

from __future__ import annotations

from trackcore.images import FrameReadError

FrameError = FrameReadError  # a frame is missing or cannot be decoded; the message names the file


class AnnotationError(ValueError):
    """An annotation file is missing, malformed, or does not fit the frames; the message names the file."""


class MissingDataError(AnnotationError):
    """The annotation or the frames of a sequence are not there; the message names them."""
