"""Every reader on its miniature dataset, a few files of which are damaged: bad data are said to be bad, and no more."""

import random
import zipfile
from pathlib import Path

import pytest
from hypothesis import strategies as st

from trackdata import index
from trackdata.datasets import dataset_names
from trackdata.verification import verify_at

ARCHIVE = Path(__file__).parents[1] / "conformance" / "mini_datasets.zip"
# Dataset, folder in the archive, split.
CASES = [
    ("coco", "coco", "train2017"),
    ("davis2016", "davis", "train"),
    ("davis2017", "davis", "train"),
    ("got10k", "got10k", "train"),
    ("got10k", "got10k", "test"),
    ("imagenet_det", "det", None),
    ("imagenet_vid", "vid", "train"),
    ("itb", "itb", None),
    ("lasot", "lasot", "all"),
    ("lasot_ext", "lasot_ext", "all"),
    ("nfs", "nfs", "all"),
    ("otb2015", "otb", "all"),
    ("tc128", "tc128", None),
    ("tnl2k", "tnl2k", None),
    ("trackingnet", "trackingnet", "train"),
    ("trackingnet", "trackingnet", "test"),
    ("uav123", "uav", "all"),
    ("vot2018", "vot2018", None),
    ("vot2020", "vot2020", None),
    ("youtubevos", "youtubevos", "train"),
]
HOSTILE = [
    b"",
    b"\n",
    b"nan,nan,nan,nan\n",
    b"1,2,3\n",
    b"\xff\xfe\x00",
    b"{}",
    b"[]",
    b"[[]]",
    b"null",
    b"-1",
    b"<a/>",
    b"1e999",
]
HOSTILE += [
    b'{"videos": []}',
    b'{"images": 1}',
    b"<annotation><size/></annotation>",
    b"0,0,0,0\n" * 400,
    b"m0,0,9,9,1\n",
]


@pytest.fixture(scope="module")
def files() -> dict[str, dict[str, bytes]]:
    """The files of each miniature dataset by key."""
    found: dict[str, dict[str, bytes]] = {}
    with zipfile.ZipFile(ARCHIVE) as archive:
        for info in archive.infolist():
            folder, _, key = info.filename.partition("/")
            if not info.is_dir():
                found.setdefault(folder, {})[key] = archive.read(info)
    return found


def damage(files: dict[str, bytes], seed: int, count: int) -> dict[str, bytes]:
    """A copy in which some files are damaged; files that are no images more often than their number would have it."""
    generator = random.Random(seed)
    damaged = dict(files)
    annotation = [key for key in files if not key.lower().endswith((".jpg", ".jpeg"))]
    for _ in range(count):
        key = generator.choice(annotation if annotation and generator.random() < 0.8 else sorted(files))
        data = bytearray(damaged.get(key, b""))
        place = generator.randrange(len(data) + 1)
        how = generator.randrange(8)
        if how == 0:
            del data[place:]
        elif how == 1 and data:
            data[place % len(data)] ^= 1 << generator.randrange(8)
        elif how == 2:
            data = bytearray(generator.choice(HOSTILE))
        elif how == 3:
            damaged.pop(key, None)
            continue
        elif how == 4:
            data[place:place] = generator.choice(HOSTILE)
        elif how == 5:
            data = bytearray(files[generator.choice(sorted(files))])
        elif how == 6:
            damaged[generator.choice([f"{key}.txt", f"x/{key}", key.replace("0", "9"), key.upper()])] = bytes(data)
        elif data:
            numbers = [at for at, byte in enumerate(data) if chr(byte).isdigit()] or [0]
            at = generator.choice(numbers)
            data[at : at + 1] = generator.choice(
                [b"-", b"nan", b"1e9", b"99999999999999999999", b"", b".", b"\x00", b"-0"]
            )
        damaged[key] = bytes(data)
    return damaged


@pytest.mark.parametrize(("name", "folder", "split"), CASES)
def test_damaged_datasets(fuzz, files, memory, monkeypatch, name, folder, split):
    if name not in dataset_names():
        pytest.skip("there is no reader of it")
    monkeypatch.setattr(index, "cache_folder", lambda: None)

    def check(seed, count):
        report = verify_at(name, memory(damage(files[folder], seed, count)), split, "all")
        assert [finding for finding in report.findings if finding.kind == "crashed"] == []

    assert verify_at(name, memory(files[folder]), split, "none").sequences > 0
    fuzz(check, st.integers(0, 2**32), st.integers(1, 4))
