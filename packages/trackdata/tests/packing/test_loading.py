"""Worker processes of a data loader read the same bytes from packs, however they are started."""

import hashlib

import pytest
import torch.multiprocessing
from torch.utils.data import DataLoader

from trackdata.packing import pack
from trackdata.storage import open_store, walk


@pytest.fixture(scope="module")
def packs(mini, tmp_path_factory):
    base = tmp_path_factory.mktemp("packs")
    pack(mini / "got10k", base / "lmdb", "lmdb")
    pack(mini / "got10k", base / "pack.zip", "zip")
    return {"lmdb": base / "lmdb", "zip": base / "pack.zip"}


@pytest.mark.parametrize("kind", ["lmdb", "zip"])
@pytest.mark.parametrize("start", ["fork", pytest.param("spawn", marks=pytest.mark.slow)])
@pytest.mark.filterwarnings("ignore:This process:DeprecationWarning")  # fork with threads, which is what is tested
def test_workers_read_the_same_bytes(mini, packs, kind, start):
    folder, store = open_store(mini / "got10k"), open_store(packs[kind])
    keys = sorted(walk(folder)) * 3
    assert store.read(keys[0])  # opened here, before the workers are forked
    context = torch.multiprocessing.get_context(start)
    loader = DataLoader(keys, batch_size=None, num_workers=2, collate_fn=store.read, multiprocessing_context=context)
    seen = [hashlib.sha256(data).digest() for data in loader]
    assert seen == [hashlib.sha256(folder.read(key)).digest() for key in keys]
    assert store.read(keys[0]) == folder.read(keys[0])
