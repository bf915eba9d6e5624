"""The annotation files of ImageNet VID and DET: one XML file per image."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple
from xml.etree import ElementTree

from trackdata.errors import AnnotationError


class Object(NamedTuple):
    """One object of an image.

    Attributes:
        synset: its class as a WordNet synset, ``n02419796``.
        corners: xmin, ymin, xmax, ymax in pixels.
        track: number of the track it belongs to, None in still images.
        occluded: as annotated; False where the file does not say.
    """

    synset: str
    corners: tuple[int, int, int, int]
    track: int | None
    occluded: bool


class Annotation(NamedTuple):
    """An image's (width, height) in pixels, and its objects in the file's order."""

    size: tuple[int, int]
    objects: tuple[Object, ...]


def parse_xml(data: bytes, source: str | Path) -> Annotation:
    """The annotation in the bytes of an XML file.

    Raises:
        AnnotationError: it is no XML, or lacks what every annotation has; the message names ``source``.
    """
    try:
        root = ElementTree.fromstring(data)
        size = (_number(_text(root, "size/width")), _number(_text(root, "size/height")))
        return Annotation(size, tuple(map(_object, root.findall("object"))))
    except (ElementTree.ParseError, ValueError) as error:
        raise AnnotationError(f"{source}: not an annotation of ImageNet ({error})") from None


def _object(element: ElementTree.Element) -> Object:
    xmin, ymin, xmax, ymax = (_number(_text(element, f"bndbox/{side}")) for side in ("xmin", "ymin", "xmax", "ymax"))
    track = element.findtext("trackid")
    return Object(
        synset=_text(element, "name"),
        corners=(xmin, ymin, xmax, ymax),
        track=None if track is None else _number(track),
        occluded=int(element.findtext("occluded") or 0) != 0,
    )


def _text(element: ElementTree.Element, path: str) -> str:
    text = element.findtext(path)
    if text is None:
        raise ValueError(f"an element {element.tag!r} has no {path!r}")
    return text


def _number(text: str) -> int:
    number = int(text)
    if not -(2**31) <= number < 2**31:
        raise ValueError(f"{text[:20]} is out of range")
    return number
