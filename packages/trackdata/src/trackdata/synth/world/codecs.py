"""The marks of real video compression, without a file: a few frames are encoded and decoded again."""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction

import av
import numpy as np

GROUP = 12  # frames that are compressed together, the first as a key frame


def recompress(frames: Sequence[np.ndarray], codec: str, quantiser: int) -> list[np.ndarray]:
    """``frames``, RGB uint8 of one even size, after encoding as one group of pictures and decoding.

    Args:
        codec: "mpeg4" or "mpeg2video"; both come with every FFmpeg and give the same result each time.
        quantiser: 2 (fine) to 31 (coarse).
    """
    height, width = frames[0].shape[:2]
    encoder = av.CodecContext.create(codec, "w")
    encoder.width, encoder.height = width, height
    encoder.pix_fmt = "yuv420p"
    encoder.time_base, encoder.framerate = Fraction(1, 25), Fraction(25)
    encoder.gop_size, encoder.max_b_frames, encoder.thread_count = GROUP, 0, 1
    encoder.options = {"qmin": str(quantiser), "qmax": str(quantiser), "flags": "+bitexact"}
    decoder = av.CodecContext.create(codec, "r")
    decoder.thread_count = 1
    found: list[np.ndarray] = []
    for number, frame in enumerate(frames):
        picture = av.VideoFrame.from_ndarray(frame, format="rgb24").reformat(format="yuv420p")
        picture.pts = number
        for packet in encoder.encode(picture):
            found += [decoded.to_ndarray(format="rgb24") for decoded in decoder.decode(packet)]
    for packet in encoder.encode(None):
        found += [decoded.to_ndarray(format="rgb24") for decoded in decoder.decode(packet)]
    found += [decoded.to_ndarray(format="rgb24") for decoded in decoder.decode(None)]
    return found
