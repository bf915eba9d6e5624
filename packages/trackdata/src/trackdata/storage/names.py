"""Names in an archive, by the million: found by halving, listed by folder."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Iterator

from trackdata.storage.store import join


class Names:
    """Names of files, sorted by their bytes.

    Everything below a folder is one run of them, so that listing a folder jumps over the runs of the folders in it.
    Nothing else is kept for each name: a million take 90 MB.
    """

    def __init__(self, names: list[bytes]) -> None:
        """``names`` are UTF-8 and sorted; of those that are the same the last counts."""
        self._names = names

    def __len__(self) -> int:
        return len(self._names)

    def find(self, key: str) -> int | None:
        """The place of a name among all, or None."""
        name = _encode(key)
        place = bisect_right(self._names, name) - 1
        return place if place >= 0 and self._names[place] == name else None

    def files(self, folder: str) -> list[str]:
        """Names of the files directly in ``folder``, sorted."""
        return sorted({name for name, is_folder in self._entries(folder) if not is_folder})

    def folders(self, folder: str) -> list[str]:
        """Names of the folders directly in ``folder``, sorted."""
        return sorted(name for name, is_folder in self._entries(folder) if is_folder)

    def _entries(self, folder: str) -> Iterator[tuple[str, bool]]:
        """(name, whether it is a folder) of what lies directly in ``folder``."""
        prefix = _encode(join(folder, "")) if folder else b""
        place = bisect_left(self._names, prefix)
        while place < len(self._names) and self._names[place].startswith(prefix):
            name, slash, _ = self._names[place][len(prefix) :].partition(b"/")
            yield name.decode(errors="surrogateescape"), bool(slash)
            # "0" follows "/"
            place = bisect_left(self._names, prefix + name + b"0", lo=place) if slash else place + 1


def _encode(name: str) -> bytes:
    return name.encode(errors="surrogateescape")


def clean_key(name: str) -> str | None:
    """The key of an archive's member, or None for folders and for names that lead out of the archive."""
    name = name.replace("\\", "/").removeprefix("./")
    if not name or name.endswith("/") or name.startswith("/") or ".." in name.split("/"):
        return None
    return name
