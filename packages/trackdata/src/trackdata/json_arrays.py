"""Large JSON files, an element at a time."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from trackdata.errors import AnnotationError

_BLANKS = re.compile(r"[ \t\n\r]*")
_DECODER = json.JSONDecoder()


def array_elements(text: str, source: str | Path) -> Iterator[tuple[str, Any]]:
    """``(name, element)`` for every element of the arrays that are members of a JSON object, in the file's order.

    Parsing COCO's 450 megabytes at once takes several gigabytes of memory, because every number becomes an object; here
    only one element exists at a time. Members that are no arrays are passed over.

    Args:
        text: a JSON object.
        source: what to call it in errors.

    Raises:
        AnnotationError: the text is no JSON object, or ends early.
    """
    try:
        yield from _elements(text)
    except (ValueError, IndexError) as error:
        what = "the text ends early" if isinstance(error, IndexError) else str(error)
        raise AnnotationError(f"{source}: not the JSON that was expected ({what})") from None


def _elements(text: str) -> Iterator[tuple[str, Any]]:
    place = _expect(text, 0, "{")
    while text[place] != "}":
        name, place = _DECODER.raw_decode(text, place)
        place = _expect(text, place, ":")
        if text[place] != "[":
            place = _DECODER.raw_decode(text, place)[1]
        else:
            place = _skip(text, place + 1)
            while text[place] != "]":
                element, place = _DECODER.raw_decode(text, place)
                yield name, element
                place = _next(text, place, "]")
            place += 1
        place = _next(text, place, "}")


def _skip(text: str, place: int) -> int:
    return _BLANKS.match(text, place).end()


def _expect(text: str, place: int, mark: str) -> int:
    """The place of what follows ``mark``."""
    place = _skip(text, place)
    if text[place] != mark:
        raise ValueError(f"expected {mark!r} at character {place}, found {text[place]!r}")
    return _skip(text, place + 1)


def _next(text: str, place: int, end: str) -> int:
    """The place of the next element, or of the ``end`` of the list."""
    place = _skip(text, place)
    if text[place] == end:
        return place
    place = _expect(text, place, ",")
    if text[place] == end:
        raise ValueError(f"nothing follows the comma before character {place}")
    return place
