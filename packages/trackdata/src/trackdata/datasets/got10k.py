"""GOT-10k: 9,335 training, 180 validation and 180 test videos (Huang et al., TPAMI 2021).

On disk, below the folders ``train``, ``val`` and ``test``::

    list.txt                       one sequence name a line
    <sequence>/00000001.jpg ...    frames, numbered from 1
              /groundtruth.txt     x,y,w,h a line; test sequences have only the first
              /absence.label       0 or 1 a line, 1 where the target is absent
              /cover.label         0 to 8 a line, visible eighths of the target
              /cut_by_image.label  0 or 1 a line
              /meta_info.ini       "key: value" lines

Absent targets have boxes of zero size or -1, -1, -1, -1.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from functools import cache, partial
from pathlib import Path, PurePath

from trackdata.datasets.info import UNKNOWN_CLASS, DatasetInfo, check_split, published
from trackdata.datasets.lists import read_list
from trackdata.errors import MissingDataError
from trackdata.frames import NumberedFrames
from trackdata.parsing import TextFile, parse_boxes, parse_column, valid_boxes
from trackdata.sequences import AnnotationError, Sequence, SequenceList
from trackdata.storage import Below, Store, open_store, read_text
from trackdata.storage.store import join

TRAIN_SEQUENCES = 9335

# Split -> folder. Splits that are not a whole folder are lists of positions in its list.txt.
SPLITS: Mapping[str, str] = {
    "train": "train",
    "val": "val",
    "test": "test",
    "train_full": "train",
    "train_part": "train",
    "val_part": "train",
    "vottrain": "train",
    "votval": "train",
    "vottrain_fixed": "train",
    "votval_fixed": "train",
}
_LISTS = {
    "train_part": "got10k_train",
    "val_part": "got10k_val",
    "vottrain": "got10k_vot_train",
    "votval": "got10k_vot_val",
}


@cache
def split_positions(split: str) -> tuple[int, ...] | None:
    """Zero-based positions in ``train/list.txt`` that make ``split``; None when it is a whole folder.

    ``train_part`` (7,934) and ``val_part`` (1,401) divide the training folder. ``vottrain`` and ``votval`` are these
    without 1,000 sequences that overlap with VOT videos, *as published*: there, forbidden sequence numbers (which count
    from 1) were removed from lists of positions (which count from 0), so that 890 forbidden sequences stayed and 890
    permitted ones went. Published trackers were trained on these. ``vottrain_fixed`` and ``votval_fixed`` remove the
    right ones.
    """
    if split in _LISTS:
        return tuple(map(int, read_list(_LISTS[split])))
    if split.endswith("_fixed"):
        forbidden = {int(number) - 1 for number in read_list("got10k_vot_forbidden_numbers")}
        part = "train_part" if split == "vottrain_fixed" else "val_part"
        return tuple(position for position in split_positions(part) if position not in forbidden)
    return None


def find_folder(root: Store, split: str | None) -> Store:
    """The folder with ``list.txt``: ``root`` itself, or the split's folder below it (which wins when both exist)."""
    here = root.where("")
    if split is not None and root.is_file(f"{SPLITS[split]}/list.txt"):
        return Below(root, SPLITS[split])
    if root.is_file("list.txt"):
        name = PurePath(here).name
        if split is not None and name in SPLITS.values() and name != SPLITS[split]:
            raise AnnotationError(f"{here}: the split {split!r} is in the folder {SPLITS[split]!r}, not in this one")
        return root
    if split is not None:
        raise AnnotationError(f"{here}: expected {SPLITS[split]}/list.txt or list.txt of GOT-10k there, found neither")
    below = [name for name in root.folders() if root.is_file(f"{name}/list.txt")]
    hint = f"; for one of the folders {', '.join(below)} give a split ({', '.join(SPLITS)})" if below else ""
    raise AnnotationError(f"{here}: there is no list.txt of GOT-10k{hint}")


class Got10k(SequenceList):
    """GOT-10k, or a dataset written in its layout. Building it reads ``list.txt`` alone."""

    def __init__(
        self,
        root: str | Path | Store,
        split: str | None = None,
        name: str | None = None,
        seq_ids: Iterable[int] | None = None,
    ) -> None:
        """
        Args:
            root: the folder or archive with ``train``, ``val`` and ``test``, or one of these.
            split: a key of :data:`SPLITS`; None takes everything in ``root/list.txt``. ``train``, ``val`` and ``test``
                are the whole official folders; ``train_full`` is ``train``, but must have all 9,335 sequences; for the
                others see :func:`split_positions`.
            name: what reports call it; by default ``got10k`` and the split.
            seq_ids: only the sequences at these zero-based positions of ``list.txt``, in this order; with a split that
                is a whole folder, or none.

        Raises:
            ValueError: unknown split, or one that is a list of positions together with ``seq_ids``.
            AnnotationError: no ``list.txt``, or it is too short for the split or the positions.
        """
        check_split("GOT-10k", split, tuple(SPLITS))
        if seq_ids is not None and split not in (None, *SPLITS.values()):
            raise ValueError(f"the split {split!r} is a list of positions itself; leave out seq_ids or the split")
        folder = find_folder(open_store(root), split)
        names = select(read_text(folder, "list.txt"), split)
        super().__init__(
            name=name or "_".join(filter(None, ("got10k", split))),
            sequence_names=names if seq_ids is None else _at(names, seq_ids, folder.where("list.txt")),
            read=partial(read_sequence, folder),
        )


def select(listed: TextFile, split: str | None) -> list[str]:
    """The names of ``split`` among those that a ``list.txt`` holds.

    Raises:
        AnnotationError: the list is empty or too short for the split.
    """
    names = listed.lines
    positions = None if split is None else split_positions(split)
    needed = TRAIN_SEQUENCES if split == "train_full" else 1 + max(positions or (0,))
    if not names:
        raise AnnotationError(f"{listed.source}: the list is empty")
    if len(names) < needed:
        raise AnnotationError(
            f"{listed.source}: lists {len(names)} sequences, but the split {split!r} needs {needed}; "
            "use the split 'train' for a smaller dataset in this layout"
        )
    return names if positions is None else [names[position] for position in positions]


def _at(names: list[str], positions: Iterable[int], source: str) -> list[str]:
    positions = list(positions)
    outside = next((position for position in positions if not 0 <= position < len(names)), None)
    if outside is not None:
        raise AnnotationError(f"{source}: lists {len(names)} sequences, there is no position {outside} (from 0)")
    return [names[position] for position in positions]


def read_sequence(store: Store, name: str) -> Sequence:
    """The sequence in the folder ``name`` of ``store``.

    ``attributes`` has the entries of meta_info.ini as text, and, where the files exist, ``visible_ratio`` ``(N,)``
    float64 (eighths of the target that are visible, over 8) and ``cut_by_image`` ``(N,)`` bool. ``visible`` is: not
    absent, some of the target visible, and a valid box; it is None for sequences without label files. The class is
    "unknown" where meta_info.ini does not name it.

    Raises:
        AnnotationError: a file is missing or malformed, or numbers of boxes, labels and frames differ.
    """
    annotation = read_text(store, join(name, "groundtruth.txt"))
    boxes = parse_boxes(annotation)
    frames = NumberedFrames(store, name, _frame_count(store, name))
    if len(frames) == 0:
        raise MissingDataError(f"{store.where(name)}: no frames; expected 00000001.jpg and so on")
    labels = {label: join(name, f"{label}.label") for label in ("absence", "cover", "cut_by_image")}
    present = {label: store.is_file(key) for label, key in labels.items()}
    first_box_only = len(boxes) == 1 and not any(present.values())
    if len(boxes) != len(frames) and not first_box_only:
        raise AnnotationError(
            f"{annotation.source}: {len(boxes)} boxes, but the folder's last frame is number {len(frames)}"
        )
    if present["absence"] != present["cover"]:
        missing = store.where(labels["cover" if present["absence"] else "absence"])
        raise AnnotationError(f"{missing}: there is no such file; absence.label and cover.label belong together")
    column = {label: parse_column(read_text(store, key), len(boxes)) for label, key in labels.items() if present[label]}
    valid = valid_boxes(boxes)
    attributes = dict(read_meta(store, join(name, "meta_info.ini")))
    absent = visible = None
    if "absence" in column:
        absent = column["absence"] != 0
        visible = ~absent & (column["cover"] > 0) & valid
        attributes["visible_ratio"] = column["cover"] / 8
    if "cut_by_image" in column:
        attributes["cut_by_image"] = column["cut_by_image"] != 0
    return Sequence(
        name=name,
        frames=frames,
        boxes=boxes,
        valid=valid,
        visible=visible,
        absent=absent,
        object_class=attributes.get("object_class", UNKNOWN_CLASS),
        attributes=attributes,
    )


def _frame_count(store: Store, name: str) -> int:
    """The highest frame number. A hole in the numbers is left to be found when that frame is read."""
    files = store.files(name)
    numbers = (int(file[:-4]) for file in files if file.endswith(".jpg") and file[:-4].isdecimal())
    return max(numbers, default=0)


def read_meta(store: Store, key: str) -> dict[str, str]:
    """The ``key: value`` lines of a meta_info.ini by key; nothing when the file does not exist."""
    if not store.is_file(key):
        return {}
    pairs = (line.partition(":") for line in read_text(store, key).lines)
    return {key.strip(): value.strip() for key, separator, value in pairs if separator}


# Names under which published training recipes mention parts of GOT-10k, and the splits they stand for.
PUBLISHED = {
    "GOT10K_vottrain": "vottrain",
    "GOT10K_votval": "votval",
    "GOT10K_train_full": "train_full",
    "GOT10K_official_val": "val",
}


GOT10K = DatasetInfo(
    name="got10k",
    title="GOT-10k",
    open=Got10k,
    splits=tuple(SPLITS),
    layout="<split>/list.txt, <split>/<sequence>/%08d.jpg, groundtruth.txt, *.label, meta_info.ini",
    annotation="box, absence and visible eighths in every frame, class",
    tag="got10k",
    convention="got10k",
)
DATASETS = (GOT10K, *(published(GOT10K, name, split) for name, split in PUBLISHED.items()))
