"""LaSOT_ext: 150 more videos of 15 classes to test on (Fan et al., IJCV 2021), in the layout of LaSOT."""

from __future__ import annotations

from functools import partial
from pathlib import Path

from trackdata.datasets.info import DatasetInfo, check_split, published
from trackdata.datasets.lasot import CHALLENGES, all_names, read_sequence
from trackdata.datasets.lists import read_list
from trackdata.sequences import SequenceList
from trackdata.storage import Store, open_store

SPLITS = ("test", "all")


class LasotExt(SequenceList):
    """LaSOT_ext. Building it reads no annotation."""

    def __init__(self, root: str | Path | Store, split: str | None = None, name: str | None = None) -> None:
        """
        Args:
            root: the folder or archive with the folders of the classes.
            split: ``test`` or None are the 150 published sequences, whether they are on disk or not; ``all`` is what
                lies in the folders of the classes.
            name: what reports call it; by default ``lasot_ext``.

        Raises:
            ValueError: unknown split.
            AnnotationError: ``all``, and there is no folder of a class.
        """
        check_split("LaSOT_ext", split, SPLITS)
        store = open_store(root)
        names = all_names(store) if split == "all" else read_list("lasot_extension")
        super().__init__(name or "lasot_ext", names, partial(read_sequence, store))


LASOT_EXT = DatasetInfo(
    name="lasot_ext",
    title="LaSOT_ext",
    open=LasotExt,
    splits=SPLITS,
    layout="as lasot",
    annotation="as lasot",
    origin=1,
    tag="lasot_extension_subset",
    convention="ostrack/lasot_extension_subset",
    challenges=CHALLENGES,
)
DATASETS = (LASOT_EXT, published(LASOT_EXT, "lasot_extension_subset"))
