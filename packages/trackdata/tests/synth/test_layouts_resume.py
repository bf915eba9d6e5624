"""Runs that were interrupted, grown, or pointed at other data, in layouts whose items lie in several places."""

from __future__ import annotations

import json
import pickle
import shutil

import pytest

from trackdata.synth import SynthMismatchError, write_layout
from trackdata.synth.layouts import LAYOUTS, Order, layout


@pytest.mark.parametrize("name", ["trackingnet", "coco", "youtubevos", "lasot"])
def test_interrupted_runs_are_continued(config, contents, tmp_path, name):
    known = layout(name)
    write_layout(known, tmp_path / "whole", None, 3, config, seed=2)
    complete = contents(tmp_path / "whole")
    root = tmp_path / "broken"
    write_layout(known, root, None, 3, config, seed=2)
    item = known.plan(Order(known.splits[0], 3, config.frames))[1]
    # a run that died after it had moved the first of the places
    half = root / f".{item.name}.part"
    half.mkdir()
    (half / "half").write_bytes(b"half")
    (root / item.stamp).unlink()
    for key in item.places[1:]:
        shutil.rmtree(root / key) if (root / key).is_dir() else (root / key).unlink()
    for key in known.close(Order(known.splits[0], 3, 5), [], [], lambda key: ""):
        (root / key).unlink()
    report = write_layout(known, root, None, 3, config, seed=2)
    assert (report.written, report.skipped) == (1, 2)
    assert contents(root) == complete


def test_more_can_be_added_and_tables_cover_everything(config, contents, tmp_path):
    known = layout("coco")
    write_layout(known, tmp_path / "grown", None, 1, config)
    report = write_layout(known, tmp_path / "grown", None, 3, config, workers=2)
    assert (report.written, report.skipped) == (2, 1)
    write_layout(known, tmp_path / "whole", None, 3, config)
    assert contents(tmp_path / "grown") == contents(tmp_path / "whole")
    table = json.loads((tmp_path / "grown/annotations/instances_train2017.json").read_text())
    assert [image["id"] for image in table["images"]] == [1, 2, 3]


@pytest.mark.parametrize("name", ["trackingnet", "coco"])
def test_other_settings_and_other_data_are_refused(config, contents, tmp_path, name):
    known = layout(name)
    write_layout(known, tmp_path, None, 2, config, seed=1)
    before = contents(tmp_path)
    with pytest.raises(SynthMismatchError, match="seed 1 instead of 2"):
        write_layout(known, tmp_path, None, 2, config, seed=2)
    assert contents(tmp_path) == before
    write_layout(known, tmp_path, None, 2, config, seed=2, overwrite=True)
    write_layout(known, tmp_path / "fresh", None, 2, config, seed=2)
    fresh = contents(tmp_path / "fresh")
    assert {key: data for key, data in contents(tmp_path).items() if not key.startswith("fresh")} == fresh

    recorded = tmp_path / "recorded"
    item = known.plan(Order(known.splits[0], 1, config.frames))[0]
    place = recorded / item.places[0]
    place.parent.mkdir(parents=True)
    place.write_bytes(b"precious")
    with pytest.raises(SynthMismatchError, match="not written by this generator"):
        write_layout(known, recorded, None, 1, config, overwrite=True)
    assert place.read_bytes() == b"precious"


def test_what_was_lost_of_an_item_is_made_again(contents, write):
    written = write("trackingnet")
    before = contents(written.root)
    (written.root / written.items[1].places[1]).unlink()
    write("trackingnet")
    assert contents(written.root) == before


def test_layouts_are_known_by_name():
    with pytest.raises(ValueError, match="did you mean 'trackingnet'"):
        layout("trackinget")
    assert all(name == known.name for name, known in LAYOUTS.items())
    assert all(pickle.loads(pickle.dumps(known)).name == name for name, known in LAYOUTS.items())


@pytest.mark.parametrize(
    ("name", "options", "message"),
    [
        ("lasot", {"split": "val"}, "split must be one of train, test for lasot"),
        ("lasot", {"masks": True}, "masks must be off for lasot"),
        ("coco", {"sequences": 0}, "must be at least 1"),
    ],
)
def test_bad_orders_touch_nothing(tmp_path, name, options, message):
    with pytest.raises(ValueError, match=message):
        write_layout(layout(name), tmp_path / "new", **options)
    assert not (tmp_path / "new").exists()
