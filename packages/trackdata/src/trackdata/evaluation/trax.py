"""A TraX server: any tracker of ours for programs that speak TraX, such as the VOT toolkit.

TraX (Čehovin, "TraX: The visual Tracking eXchange protocol and library", Neurocomputing 2017) is spoken over standard
input and output, or a socket that the client names in the environment. Needs ``pip install trackdata[vot]``.

The protocol wants every object as a pair of region and properties, also a single one.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from contextlib import redirect_stdout, suppress
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from trackcore.images import decode_image, read_image, to_rgb
from trackcore.tracker import Prediction, Tracker
from trackdata.regions import Code, Mask, Polygon, Rectangle, Region, region_box, region_mask

if TYPE_CHECKING:
    import trax

_REASON = 200  # characters of an error that the client is told

RegionFormat = Literal["rectangle", "polygon", "mask"]


class TraxError(RuntimeError):
    """The client sends something that this server does not read, or the connection broke."""


def serve(build: Callable[[], Tracker], name: str, region_format: RegionFormat = "rectangle") -> int:
    """Answer one client until it quits.

    The first box of a tracker is the one around the given region. Replies are what the tracker says as
    ``region_format`` (see :func:`as_region`); confidence is the property ``confidence``. What the tracker prints goes
    to standard error.

    Args:
        build: makes the tracker, before the client is greeted: building may take longer than clients wait for a reply.
        name: of the tracker, for the client.

    Returns:
        How many frames were tracked, first frames included.

    Raises:
        ModuleNotFoundError: the package ``vot-trax`` is not installed.
        TraxError: the connection broke, or an image is of a kind that was not offered.
        Exception: whatever the tracker raises; the client is told the reason.
    """
    try:
        import trax
    except ModuleNotFoundError as error:
        raise ModuleNotFoundError("the TraX server needs the package vot-trax: pip install trackdata[vot]") from error

    with redirect_stdout(sys.stderr):
        tracker = build()
        images = [trax.Image.PATH, trax.Image.MEMORY, trax.Image.BUFFER]
        try:
            server = trax.Server([region_format], images, tracker_name=name, tracker_family="trackdata")
        except trax.TraxException as error:
            raise TraxError(f"no client answers ({error})") from error
        try:
            count = _converse(server, tracker, region_format)
        except BaseException as error:
            with suppress(trax.TraxException):  # the connection may be what broke
                server.quit(f"{type(error).__name__}: {error}"[:_REASON])
            raise
        server.quit()
    return count


def _converse(server: trax.Server, tracker: Tracker, region_format: RegionFormat) -> int:
    import trax

    count = 0
    while True:
        try:
            request = server.wait()
        except trax.TraxException as error:
            raise TraxError(f"the connection to the client broke ({error})") from error
        if request.type == trax.TraxStatus.QUIT:
            return count
        frame = read_trax_image(request.image[trax.ImageChannel.COLOR])
        if request.type == trax.TraxStatus.INITIALIZE:
            [(region, _)] = request.objects  # the library refuses several, as this server does not offer it
            given = from_trax(region)
            tracker.init(frame, region_box(given))
            prediction = Prediction(region_box(given), mask=_drawn(given, frame))
        else:
            prediction = tracker.update(frame)
        properties = {} if prediction.score is None else {"confidence": f"{prediction.score:.6g}"}
        server.status([(to_trax(as_region(prediction, frame, region_format)), properties)])
        count += 1


def _drawn(region: Region, frame: np.ndarray) -> np.ndarray | None:
    """The pixels of a mask in the frame; masks from clients may end where the target does."""
    return region_mask(region, (frame.shape[1], frame.shape[0])) if isinstance(region, Mask) else None


def as_region(prediction: Prediction, frame: np.ndarray, region_format: RegionFormat) -> Region:
    """What a tracker says about ``frame`` as a region.

    ``rectangle`` is the box. ``mask`` is the mask, or the box filled when there is none. ``polygon`` is the smallest
    rectangle, at any angle, around the mask, or the box's corners when there is no mask or an empty one.
    """
    height, width = frame.shape[:2]
    x, y, w, h = (float(value) for value in prediction.box)
    if region_format == "rectangle":
        return Rectangle(x, y, w, h)
    if region_format == "mask":
        mask = prediction.mask
        return Mask(region_mask(Rectangle(x, y, w, h), (width, height)) if mask is None else np.asarray(mask, bool))
    if prediction.mask is not None and np.any(prediction.mask):
        import cv2

        pixels = cv2.findNonZero(np.asarray(prediction.mask, np.uint8))
        return Polygon(tuple((float(a), float(b)) for a, b in cv2.boxPoints(cv2.minAreaRect(pixels))))
    return Polygon(((x, y), (x + w, y), (x + w, y + h), (x, y + h)))


def from_trax(region: Any) -> Region:
    """A region of the ``trax`` package as ours."""
    import trax

    if region.type == trax.Region.RECTANGLE:
        return Rectangle(*region.bounds())
    if region.type == trax.Region.POLYGON:
        return Polygon(tuple(region))
    if region.type == trax.Region.MASK:
        x, y = region.offset()
        return Mask(region.array() != 0, x, y)
    return Code(region.code)


def to_trax(region: Region) -> Any:
    """Our region as one of the ``trax`` package."""
    import trax

    if isinstance(region, Rectangle):
        return trax.Rectangle.create(region.x, region.y, region.width, region.height)
    if isinstance(region, Polygon):
        return trax.Polygon.create(list(region.points))
    if isinstance(region, Mask):
        return trax.Mask.create(np.ascontiguousarray(region.pixels, np.uint8), region.x, region.y)
    return trax.Special.create(region.number)


def read_trax_image(image: Any) -> np.ndarray:
    """An image of the ``trax`` package as RGB uint8 ``(H, W, 3)``.

    Raises:
        FrameReadError: the file or the buffer is no image.
        TraxError: an image of a kind that the server did not offer.
    """
    import trax

    kind = image.type()
    if kind == trax.Image.PATH:
        return read_image(image.path())
    if kind == trax.Image.BUFFER:
        return decode_image(image.buffer(), "image sent by the client")
    if kind == trax.Image.MEMORY:
        return to_rgb(image.array())
    raise TraxError(f"the client sends images as {kind}, which this server does not read")
