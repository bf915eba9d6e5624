"""Names of items: the first of an official list, or in the style of the dataset."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence

from trackdata.synth.layouts.layout import Order

_ALPHABET = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"


def official(names: Sequence[str], order: Order, style: str) -> list[str]:
    """The first names of a list, and beyond its end, or when the order wants none of them, ``style`` with a number."""
    listed = list(names[: order.sequences]) if order.listed else []
    return listed + [style.format(number + 1) for number in range(order.sequences - len(listed))]


def youtube_id(split: str, number: int) -> str:
    """Eleven letters, digits, dashes and underscores, as YouTube names its videos; the same each time."""
    digest = hashlib.sha256(f"{split} {number}".encode()).digest()
    return "".join(_ALPHABET[byte % 64] for byte in digest[:11])


def hexadecimal(split: str, number: int) -> str:
    """Ten hexadecimal digits, as YouTube-VOS names its videos; the same each time."""
    return hashlib.sha256(f"{split} {number}".encode()).hexdigest()[:10]
