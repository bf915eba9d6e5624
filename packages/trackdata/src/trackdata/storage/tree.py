"""The names in an archive as a tree: which files and folders lie in a folder."""

from __future__ import annotations

from collections.abc import Iterable


class Tree:
    """Folders and their contents, from the keys of an archive's files."""

    def __init__(self, keys: Iterable[str]) -> None:
        self._files: dict[str, list[str]] = {}
        self._folders: dict[str, set[str]] = {}
        for key in keys:
            folder, _, name = key.rpartition("/")
            if folder not in self._files:
                self._add_folder(folder)
            self._files[folder].append(name)

    def _add_folder(self, folder: str) -> None:
        self._files[folder] = []
        while folder:
            parent, _, name = folder.rpartition("/")
            siblings = self._folders.setdefault(parent, set())
            if name in siblings:
                return
            siblings.add(name)
            folder = parent

    def files(self, folder: str) -> list[str]:
        """Names of the files directly in ``folder``, sorted."""
        return sorted(self._files.get(folder, ()))

    def folders(self, folder: str) -> list[str]:
        """Names of the folders directly in ``folder``, sorted."""
        return sorted(self._folders.get(folder, ()))


def clean_key(name: str) -> str | None:
    """The key of an archive's member, or None for folders and for names that lead out of the archive."""
    name = name.replace("\\", "/").removeprefix("./")
    if not name or name.endswith("/") or name.startswith("/") or ".." in name.split("/"):
        return None
    return name
