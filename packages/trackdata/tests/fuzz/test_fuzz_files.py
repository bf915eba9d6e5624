"""Images, label maps, videos, results and reports whose bytes are anything."""

import io
import json
import random
import zipfile
from pathlib import Path

import cv2
import numpy as np
import pytest
from hypothesis import strategies as st

from trackcore.images import FrameReadError, decode_image
from trackcore.video import VideoWriter
from trackdata.binary_regions import parse_binary_regions
from trackdata.clips import inspect_clip, read_clip
from trackdata.datasets.imagenet_xml import parse_xml
from trackdata.errors import AnnotationError
from trackdata.evaluation.records import Track
from trackdata.evaluation.results import ResultError, read_tracks, write_track
from trackdata.evaluation.vot.trajectories import read_trajectory
from trackdata.labels import decode_grey, decode_labels, decode_mask, decode_palette, encode_labels
from trackdata.packing.manifests import Manifest
from trackdata.storage import ZipStore, walk
from trackdata.verification import VerificationReport


def damage(data: bytes, seed: int) -> bytes:
    """Flipped, cut, repeated or inserted bytes."""
    generator = random.Random(seed)
    damaged = bytearray(data)
    for _ in range(generator.randrange(1, 5)):
        place = generator.randrange(len(damaged) + 1)
        how = generator.randrange(5)
        if how == 0:
            del damaged[place:]
        elif how == 1:
            del damaged[place : place + generator.randrange(9)]
        elif how == 2:
            damaged[place:place] = generator.randbytes(generator.randrange(9))
        elif damaged:
            damaged[place % len(damaged)] = generator.choice([0, 0xFF, generator.randrange(256)])
    return bytes(damaged)


SEEDS = st.integers(0, 2**48)


def picture() -> np.ndarray:
    return np.random.default_rng(0).integers(0, 255, (16, 24, 3), np.uint8)


@pytest.mark.parametrize("suffix", [".jpg", ".png", ".bmp", ".webp", ".tiff"])
def test_images(fuzz, suffix):
    good = cv2.imencode(suffix, picture())[1].tobytes()

    def check(seed):
        try:
            image = decode_image(damage(good, seed), "the file")
        except FrameReadError as error:
            message = str(error)
        else:
            assert (image.dtype, image.shape[2:]) == (np.uint8, (3,))
            return
        assert "the file" in message

    assert decode_image(good, "the file").shape == (16, 24, 3)
    fuzz(check, SEEDS)


@pytest.mark.parametrize("decode", [decode_labels, decode_mask, decode_grey, decode_palette])
def test_label_maps(fuzz, decode):
    good = encode_labels(np.arange(48, dtype=np.uint8).reshape(6, 8))

    def check(seed):
        try:
            found = decode(damage(good, seed), "the file")
        except AnnotationError as error:
            message = str(error)
        else:
            assert found is None or isinstance(found, np.ndarray)
            return
        assert "the file" in message

    fuzz(check, SEEDS)


def test_label_maps_come_back(fuzz):
    def check(labels, wide):
        array = np.array(labels, np.uint16 if wide else np.uint8).reshape(-1, 3)
        array = array * 300 if wide else array
        np.testing.assert_array_equal(decode_labels(encode_labels(array), "the file"), array)

    fuzz(check, st.lists(st.integers(0, 200), min_size=3, max_size=3).map(lambda row: row * 2), st.booleans())


def test_videos(fuzz, tmp_path):
    path = tmp_path / "video.mp4"
    with VideoWriter(path, 10) as writer:
        for number in range(12):
            writer.write(np.roll(picture().repeat(2, 0).repeat(2, 1), number, 1))
    good = path.read_bytes()

    def check(seed):
        path.write_bytes(damage(good, seed))
        try:
            read_clip(path, [0, inspect_clip(path).frames - 1])
        except FrameReadError as error:
            message = str(error)
        else:
            return
        assert path.name in message

    fuzz(check, SEEDS)


XML = b"""<annotation><size><width>48</width><height>36</height></size><object><trackid>0</trackid><name>n01</name>
<bndbox><xmax>20</xmax><xmin>3</xmin><ymax>9</ymax><ymin>1</ymin></bndbox><occluded>0</occluded></object></annotation>"""


def test_xml(fuzz):
    def check(seed):
        try:
            size, objects = parse_xml(damage(XML, seed), "the file")
        except AnnotationError as error:
            message = str(error)
        else:
            assert len(size) == 2
            assert all(len(item.corners) == 4 for item in objects)
            return
        assert "the file" in message

    assert len(parse_xml(XML, "the file").objects) == 1
    fuzz(check, SEEDS)


FLOATS = st.one_of(st.floats(), st.floats(-1e4, 1e4), st.sampled_from([0.0, -0.0, 1e300, 5e-324]))
ROWS = st.lists(st.lists(FLOATS, min_size=4, max_size=4), max_size=5)


def test_results_come_back(fuzz, tmp_path):
    def check(rows, times, scores):
        count = len(rows)
        track = Track(
            np.array(rows, np.float64).reshape(-1, 4),
            np.array(times[:count]) if len(times) >= count else None,
            np.array(scores[:count]) if len(scores) >= count else None,
        )
        try:
            write_track(tmp_path, "sequence", track)
        except ResultError as error:
            message = str(error)
        else:
            (again,) = read_tracks(tmp_path, "sequence")
            np.testing.assert_allclose(again.boxes, track.boxes, atol=5.1e-5, rtol=1e-12)
            assert (again.times is None) == (track.times is None)
            return
        assert "sequence" in message
        assert count == 0 or not np.isfinite(track.boxes).all()

    numbers = st.lists(st.floats(0, 1e3), max_size=5)
    fuzz(check, ROWS, numbers, numbers)


def test_result_files(fuzz, tmp_path):
    good = b"1.0,2.0,3.0,4.0\n5.0,6.0,7.0,8.0\n"

    def check(seed, other):
        (tmp_path / "times").mkdir(exist_ok=True)
        (tmp_path / "sequence.txt").write_bytes(damage(good, seed))
        (tmp_path / "times" / "sequence.txt").write_bytes(damage(b"0.1\n0.2\n", other))
        try:
            tracks = read_tracks(tmp_path, "sequence")
        except ResultError as error:
            message = str(error)
        else:
            assert all(track.boxes.shape[1:] == (4,) for track in tracks)
            return
        assert "sequence.txt" in message

    fuzz(check, SEEDS, SEEDS)


def test_trajectories(fuzz, tmp_path):
    good = b"1\n10.5,20,30,40\n1,2,3,4,5,6\nm0,0,4,2,1,2,3\n0\n"

    def check(seed, other):
        (tmp_path / "run_001.txt").write_bytes(damage(good, seed))
        (tmp_path / "run_001_confidence.value").write_bytes(damage(b"\n0.5\n0.5\n1\nnan\n", other))
        try:
            trajectory = read_trajectory(tmp_path, "run_001")
        except ResultError as error:
            message = str(error)
        else:
            assert len(trajectory) == len(trajectory.confidence)
            return
        assert "run_001" in message

    fuzz(check, SEEDS, SEEDS)


def test_binary_trajectories(fuzz):
    def check(data):
        try:
            regions = parse_binary_regions(data, "the file")
        except AnnotationError as error:
            message = str(error)
        else:
            assert isinstance(regions, list)
            return
        assert "the file" in message

    heads = st.sampled_from([b"", b"\x00\x00", b"\x01\x00\x02\x00\x00\x00", b"\x00\x00\x01\x00\x00\x00\x03"])
    fuzz(check, st.tuples(heads, st.binary(max_size=60)).map(b"".join))


def test_zips(fuzz, tmp_path):
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr("a/b.txt", b"stored")
        archive.writestr("größe.txt", b"deflated" * 9, zipfile.ZIP_DEFLATED)
    good, path = buffer.getvalue(), tmp_path / "x.zip"

    def check(seed):
        path.write_bytes(damage(good, seed))
        store = ZipStore(path)
        message = str(path)
        try:
            for key in walk(store):
                assert store.read(key) in (b"stored", b"deflated" * 9)
        except (AnnotationError, OSError) as error:
            message = str(error)
        finally:
            store.close()
        assert str(path) in message

    fuzz(check, SEEDS)


JSON = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(), st.floats(), st.text(max_size=5)),
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(st.text(max_size=5), inner, max_size=3)),
    max_leaves=6,
)


def test_manifests_and_reports(fuzz, tmp_path):
    manifest = Manifest("got10k", 3, 100, "a", "b")
    assert Manifest.from_json(manifest.to_json()) == manifest
    report = VerificationReport("x", "/", "none", 1, 2, 0, (), 0.5)
    report.save(tmp_path / "report.json")
    good = json.loads((tmp_path / "report.json").read_text())

    def check(changes, data):
        assert Manifest.from_json(data) is None or data
        path = Path(tmp_path / "other.json")
        path.write_text(json.dumps({**good, **changes}))
        try:
            VerificationReport.load(path)
        except ValueError as error:
            message = str(error)
        else:
            return
        assert "other.json" in message

    changes = st.dictionaries(st.sampled_from(sorted(good)), JSON, max_size=3)
    fuzz(check, changes, st.one_of(st.binary(max_size=30), JSON.map(lambda value: json.dumps(value).encode())))
