"""What the catalogue says about every dataset holds."""

import pytest

from trackdata.datasets import dataset_info, dataset_names, list_datasets, open_dataset
from trackdata.datasets.info import DatasetInfo, published
from trackdata.evaluation import convention
from trackdata.sequences import AnnotationError


def test_names():
    assert {"dtb70", "itb", "lasot", "lasot_ext", "nfs", "otb2015", "tc128", "tnl2k", "trackingnet", "uav123"} <= {
        info.name for info in list_datasets() if not info.alias
    }
    assert {"LASOT", "TRACKINGNET", "lasot_extension_subset", "otb", "tc128ce", "uav"} <= {
        info.name for info in list_datasets() if info.alias
    }


@pytest.mark.parametrize("name", dataset_names())
def test_entries(name):
    info = dataset_info(name)
    assert convention(info.convention)
    assert info.origin in (0, 1)
    assert info.layout
    assert info.annotation
    assert len(set(info.challenges.values())) == len(info.challenges)


@pytest.mark.parametrize("name", dataset_names())
def test_unknown_splits_are_named(name, tmp_path):
    if name == "folder":
        pytest.skip("its splits are folders")
    with pytest.raises(ValueError, match="no-such-split"):
        open_dataset(name, tmp_path, "no-such-split")


def test_a_published_name_keeps_what_is_known(tmp_path):
    def nothing_there(root, split):
        raise AnnotationError(f"asked for {split}")

    info = DatasetInfo("mine", "Mine", nothing_there, "files", "boxes", ("a", "b"), origin=1, tag="t")
    alias = published(info, "MINE", "b")
    assert (alias.name, alias.alias, alias.origin, alias.tag, alias.splits) == ("MINE", True, 1, "t", ())
    assert alias.title == "Mine, split b, as published code calls it"
    with pytest.raises(AnnotationError, match="asked for b"):
        alias.open(tmp_path, None)
    with pytest.raises(ValueError, match="MINE is one split of Mine already; leave out 'a' or use the name 'mine'"):
        alias.open(tmp_path, "a")
