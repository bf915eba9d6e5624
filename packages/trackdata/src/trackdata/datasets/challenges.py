"""What makes sequences hard, as benchmarks name it (fast motion, occlusion ...): reading lists of such attributes.

In ``Sequence.attributes``, ``"challenges"`` is a tuple of the names that hold for the sequence. Readers take it from
the benchmark's own files where these lie beside the data. For other data, :func:`read_challenges` reads one table for
all sequences, and :func:`with_challenges` adds it to a dataset.
"""

from __future__ import annotations

import csv
import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import replace
from functools import partial
from pathlib import Path

from trackdata.errors import AnnotationError
from trackdata.parsing import TextFile
from trackdata.sequences import Sequence, SequenceList
from trackdata.storage import Store, read_text


def parse_challenges(file: TextFile, names: Mapping[str, str]) -> tuple[str, ...]:
    """The names that ``file`` says hold for a sequence, in the benchmark's order.

    Args:
        file: one number for each name, above 0 where it holds; or names or abbreviations, between commas or on lines of
            their own.
        names: abbreviation to name, in the benchmark's order.

    Raises:
        AnnotationError: another number of flags than of names, or a name that is not known.
    """
    fields = [field for part in re.split(r"[,;\t\n]", file.text) if (field := part.strip())]
    flags = [value for field in fields for value in field.split()]
    if all(re.fullmatch(r"\d+(\.\d*)?", flag) for flag in flags) and flags:
        if len(flags) != len(names):
            raise AnnotationError(
                f"{file.source}: {len(flags)} flags for the {len(names)} attributes {', '.join(names)}"
            )
        return tuple(name for name, flag in zip(names.values(), flags, strict=True) if float(flag) > 0)
    return full_names(fields, names, file.source)


def full_names(given: Iterable[str], names: Mapping[str, str], source: str) -> tuple[str, ...]:
    """Abbreviations and names, whatever their case and hyphens, as the names of the benchmark and in its order.

    Raises:
        AnnotationError: a name that is not known; the message names ``source``.
    """
    known = {_plain(word): name for pair in names.items() for word in pair for name in pair[1:]}
    held = set()
    for word in given:
        if _plain(word) not in known:
            listed = ", ".join(f"{short} ({name})" for short, name in names.items())
            raise AnnotationError(f"{source}: {word!r} is none of the attributes {listed}")
        held.add(known[_plain(word)])
    return tuple(name for name in names.values() if name in held)


def _plain(word: str) -> str:
    return re.sub(r"[^a-z0-9]", "", word.lower())


def find_challenges(store: Store, keys: Iterable[str], names: Mapping[str, str]) -> dict[str, tuple[str, ...]]:
    """``{"challenges": names}`` from the first of ``keys`` that exists, nothing when none does.

    Raises:
        AnnotationError: as :func:`parse_challenges`.
    """
    key = next((key for key in keys if store.is_file(key)), None)
    return {} if key is None else {"challenges": parse_challenges(read_text(store, key), names)}


def read_challenges(path: str | Path) -> dict[str, tuple[str, ...]]:
    """A table of attributes for all sequences of a dataset, by sequence.

    Args:
        path: a ``.json`` file, ``{"sequence": ["Fast Motion", ...], ...}``, or a ``.csv`` file: either lines
            ``sequence,Fast Motion,Occlusion``, or a table whose header is ``sequence`` and the names, with a number
            above 0 in the columns that hold.

    Raises:
        AnnotationError: the file is missing or malformed.
    """
    file = TextFile.read(path)
    suffix = Path(path).suffix.lower()
    if suffix not in (".json", ".csv"):
        raise AnnotationError(f"{file.source}: a table of attributes is a .json or .csv file")
    return _parse_json(file) if suffix == ".json" else _parse_csv(file)


def _parse_json(file: TextFile) -> dict[str, tuple[str, ...]]:
    try:
        table = json.loads(file.text)
    except json.JSONDecodeError as error:
        raise AnnotationError(f"{file.source}: not JSON ({error})") from None
    if not isinstance(table, dict):
        raise AnnotationError(f"{file.source}: expected an object of sequences, got {type(table).__name__}")
    for sequence, names in table.items():
        if not isinstance(names, list) or not all(isinstance(name, str) for name in names):
            raise AnnotationError(f"{file.source}: expected a list of names for {sequence!r}, got {names!r}")
    return {sequence: tuple(names) for sequence, names in table.items()}


def _parse_csv(file: TextFile) -> dict[str, tuple[str, ...]]:
    rows = [[cell.strip() for cell in row] for row in csv.reader(file.lines)]
    if not rows or rows[0][0].lower() != "sequence":
        return {sequence: tuple(filter(None, names)) for sequence, *names in rows}
    names = rows[0][1:]
    table = {}
    for sequence, *cells in rows[1:]:
        try:
            table[sequence] = tuple(name for name, cell in zip(names, cells, strict=True) if float(cell) > 0)
        except ValueError:
            raise AnnotationError(
                f"{file.source}: expected {len(names)} numbers for {sequence!r}, got {', '.join(cells)}"
            ) from None
    return table


def with_challenges(
    dataset: SequenceList, table: Mapping[str, Iterable[str]], names: Mapping[str, str] | None = None
) -> SequenceList:
    """``dataset`` with the attributes of ``table`` in the place of its own.

    Args:
        dataset: any list of sequences.
        table: names by sequence; sequences that it leaves out keep what they have.
        names: abbreviation to name, in the benchmark's order (``DatasetInfo.challenges``): names of the table are
            checked against these. None takes them as they are.

    Raises:
        AnnotationError: the table names no sequence of the dataset, or an attribute that is not known.
    """
    positions = {name: position for position, name in enumerate(dataset.sequence_names)}
    if not positions.keys() & table.keys():
        example = f": its first is {next(iter(table))!r}" if table else ""
        raise AnnotationError(f"the table of attributes names none of the sequences of {dataset.name}{example}")
    held = {
        sequence: full_names(given, names, f"attributes of {sequence}") if names else tuple(given)
        for sequence, given in table.items()
        if sequence in positions
    }
    return SequenceList(dataset.name, dataset.sequence_names, partial(_read_with, dataset, positions, held))


def _read_with(
    dataset: SequenceList, positions: Mapping[str, int], held: Mapping[str, tuple[str, ...]], name: str
) -> Sequence:
    sequence = dataset[positions[name]]
    if name not in held:
        return sequence
    return replace(sequence, attributes={**sequence.attributes, "challenges": held[name]})
