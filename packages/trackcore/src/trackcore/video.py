"""Frames in and out: image files, videos, folders, cameras and network streams."""

from trackcore.images import FrameReadError, read_image, to_rgb

__all__ = ["FrameReadError", "read_image", "to_rgb"]
