"""What the network learns from: augmentation, choice of frames and objects, against the published ones."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from PIL import Image

from dropseg_vos import augmentation as augment
from dropseg_vos.augmentation import Affine, Jitter, Own, OwnStill, Shared, SharedStill
from dropseg_vos.config import DataConfig, Source
from dropseg_vos.preparing import prepare_youtubevos, resize_training_frame, resize_training_labels
from dropseg_vos.recipes import get_recipe
from dropseg_vos.samples import Objects, PairSource, choose_objects, open_source
from dropseg_vos.sizes import normalise
from dropseg_vos.spline import Spline, displacement, sampling_maps, warp
from dropseg_vos.training import pair_source
from trackdata.datasets.youtubevos import youtubevos_videos
from trackdata.errors import AnnotationError
from trackdata.synth import preset, write_layout
from trackdata.synth.layouts import layout

NAMES = ("brightness", "contrast", "saturation", "hue")


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    root = tmp_path_factory.mktemp("data")
    config = preset("easy", frames=21, size=(64, 48), objects=(1, 3))
    write_layout(layout("davis2017"), root / "DAVIS", "train", 3, config, seed=0)
    write_layout(layout("youtubevos"), root / "YouTube", "train", 2, config, seed=1)
    write_layout(layout("static_images"), root / "static", "ecssd", 3, config, seed=2)
    for kind in ("JPEGImages", "Annotations"):  # the same layout without the folder of the resolution
        (root / "BL30K").mkdir(exist_ok=True)
        (root / "BL30K" / kind).symlink_to(root / "DAVIS" / kind / "480p")
    return root


def jitter(given) -> Jitter:
    return Jitter(tuple((name, given["factors"][NAMES.index(name)]) for name in given["order"]))


def near(found, expected, levels: int, share: float) -> None:
    """At most ``share`` of the values are off, and by ``levels`` grey levels at most."""
    difference = np.abs(np.asarray(found, np.int64) - np.asarray(expected, np.int64))
    assert difference.max() <= levels
    assert (difference > 0).mean() <= share


class TestPublishedAugmentation:
    def test_video(self, load_case, vos_synth):
        case = load_case("augment_vos")
        given = case.config["parameters"]
        frames, labels = vos_synth.video(4, 120, 200, vos_synth.TWO_OBJECTS)
        shared = Shared(tuple(given["crop"]), given["flip"], jitter(given["all_jitter"]), given["gray"])
        for number in (0, 1):
            frame, label = augment.share(frames[number], labels[number], shared, case.config["img_size"])
            near(case.part(f"frame{number}_shared_stage", frame), case[f"frame{number}_shared_stage"], 1, 0.02)
            affine = given["affine"][number]
            own = Own(Affine(affine["angle"], affine["shear"]), jitter(given["pair_jitter"][number]))
            pixels, found = augment.vary(frame, label, own)
            near(pixels, case[f"frame{number}_rgb"], 1, 0.02)
            assert (found != case[f"frame{number}_label"]).mean() <= 0.005
            case.check(f"frame{number}_tensor", normalise(pixels.copy()))

    def test_still(self, load_case, vos_synth):
        case = load_case("augment_static")
        given = case.config["parameters"]
        frames, labels = vos_synth.video(4, 120, 200, vos_synth.TWO_OBJECTS)
        mask = (labels[2] > 0).astype(np.uint8) * 255
        shared = SharedStill(given["all_scale"], given["flip"], jitter(given["all_jitter"]))
        frame, grey = augment.share_still(frames[2], mask, shared)
        for number in (0, 1):
            affine, points = given["affine"][number], given["tps"][number]
            bend = {} if points is None else {"source": np.array(points["src"]), "target": np.array(points["dst"])}
            own = OwnStill(
                Affine(affine["angle"], affine["shear"], affine["scale"]),
                tuple(given["crop"][number]),
                jitter(given["pair_jitter"][number]),
                **bend,
            )
            pixels, soft = augment.vary_still(frame, grey, own, case.config["img_size"])
            near(case.part(f"frame{number}_rgb", pixels), case[f"frame{number}_rgb"], 2, 0.03)
            case.check(f"frame{number}_mask", soft[None])

    def test_spline(self, load_case, vos_synth):
        case = load_case("tps_warp")
        frames, labels = vos_synth.video(4, 120, 200, vos_synth.TWO_OBJECTS)
        source, target = (np.array(case.config[name]) for name in ("source_points", "target_points"))
        spline = displacement(source, target)
        case.check("theta", spline.weights)
        for name, found in zip(("map_x", "map_y"), sampling_maps(spline, (120, 200)), strict=True):
            case.check(name, found)
        pixels, mask = warp(frames[0], (labels[0] > 0).astype(np.uint8) * 255, source, target)
        assert np.abs(pixels.astype(int) - case["rgb"]).max() <= 2
        assert (mask != case["mask"]).mean() <= 0.005

    def test_resize_of_training_videos(self, load_case, vos_synth):
        case = load_case("eval_resize")
        frames, labels = vos_synth.video(4, 120, 200, vos_synth.TWO_OBJECTS)
        side = case.config["short_side"]
        near(case.part("train_480p_rgb", resize_training_frame(frames[1], side)), case["train_480p_rgb"], 1, 0.02)
        case.check("train_480p_label", resize_training_labels(labels[1], side))

    def test_objects(self, load_case, vos_synth):
        case = load_case("sample_assembly")
        _, labels = vos_synth.video(4, 120, 200, vos_synth.TWO_OBJECTS)
        pair = labels[2:4]
        for name, numbers in (("two", [2, 1]), ("one", [1]), ("none", [])):
            objects = Objects.of(pair, numbers, 2)
            case.check(f"{name}_target", objects.masks[0][:, None])
            case.check(f"{name}_second", objects.masks[1][:, None])
            case.check(f"{name}_class", objects.classes)
            assert objects.present.tolist() == [len(numbers) > 0, len(numbers) > 1]


class TestSpline:
    def test_goes_through_its_points(self):
        rng = np.random.default_rng(0)
        centres, values = rng.random((12, 2)), rng.normal(0, 0.1, (12, 2))
        np.testing.assert_allclose(Spline.fit(centres, values)(centres), values, atol=1e-3)

    def test_points_on_a_line(self):
        with pytest.raises(ValueError, match="must differ"):
            Spline.fit(np.zeros((3, 2)), np.zeros((3, 2)))


class TestRandomParameters:
    def test_crops_lie_within_the_frame_and_ranges(self):
        rng = np.random.default_rng(0)
        for _ in range(300):
            top, left, height, width = augment.draw_crop(rng, (90, 160), (0.36, 1.0))
            assert min(top, left) >= 0
            assert top + height <= 90
            assert left + width <= 160
            assert 0.35 < height * width / (90 * 160) <= 1
            assert 0.7 < width / height < 1.4

    def test_ranges(self):
        rng = np.random.default_rng(0)
        videos = [augment.draw_own(rng) for _ in range(300)]
        assert 14 < max(abs(own.affine.angle) for own in videos) <= 15
        assert 9 < max(abs(own.affine.shear) for own in videos) <= 10
        stills = [augment.draw_own_still(rng, (120, 200), 96) for _ in range(300)]
        assert 0.25 < np.mean([own.source is not None for own in stills]) < 0.42
        assert all(0 <= own.crop[1] <= 160 - 96 and own.crop[0] == 0 for own in stills)
        changes = [change for _ in range(100) for change in augment.draw_jitter(rng, (0.1, 0.05, 0.05, 0.05)).changes]
        assert {name for name, _ in changes} == set(NAMES)
        assert max(abs(factor) for name, factor in changes if name == "hue") <= 0.05


class TestChoiceOfObjects:
    def test_two_of_three_in_any_order(self):
        labels = np.array([[0, 1, 2, 5, 255]])
        drawn = [tuple(choose_objects(np.random.default_rng(seed), labels, 2)) for seed in range(200)]
        assert set(drawn) == {(a, b) for a in (1, 2, 5) for b in (1, 2, 5) if a != b}

    def test_few(self):
        rng = np.random.default_rng(0)
        assert choose_objects(rng, np.array([[0, 3]]), 2) == [3]
        assert choose_objects(rng, np.array([[0, 255]]), 2) == []


SOURCES = {
    "davis2017": Source("davis2017", "DAVIS", "train"),
    "youtubevos": Source("youtubevos", "YouTube", "train", max_jump=5),
    "bl30k": Source("bl30k", "BL30K"),
    "static_images": Source("static_images", "static", "ecssd"),
}


@pytest.fixture(scope="module")
def make(data):
    def make(*names: str, **changes) -> PairSource:
        sources = [SOURCES[name] for name in names]
        settings = {"objects": 1 if names == ("static_images",) else 2, "empty": "redraw"} | changes
        config = DataConfig(train=tuple(sources), **settings)
        opened = [open_source(source, data) for source in sources]
        return PairSource(sources, opened, config, 32, samples_per_epoch=8, seed=3)

    return make


class TestPairs:
    @pytest.mark.parametrize("name", SOURCES)
    def test_arrays(self, make, name):
        slots = 1 if name == "static_images" else 2
        sample = make(name)(1, 0).sample
        assert {key: tuple(value.shape) for key, value in sample.items()} == {
            "reference": (3, 32, 32), "query": (3, 32, 32), "masks": (slots, 32, 32), "classes": (32, 32),
            "present": (slots,),
        }  # fmt: skip
        assert sample["classes"].dtype == np.int64
        assert sample["present"][0]
        assert 0 <= sample["masks"].min() < sample["masks"].max() <= 1
        assert sample["classes"].max() <= sample["present"].sum()

    def test_a_sample_is_a_function_of_its_place(self, make):
        first, again = make("davis2017")(2, 5).sample, make("davis2017")(2, 5).sample
        assert all(np.array_equal(first[key], again[key]) for key in first)
        other = make("davis2017")(2, 6).sample
        assert not np.array_equal(first["reference"], other["reference"])

    def test_a_pass_goes_through_all_videos(self, make):
        pairs = make("davis2017", "youtubevos")
        seen = [pairs._passes.item(*divmod(number, 5)) for number in range(5)]
        assert len({(item.dataset, item.video) for item in seen}) == 5

    def test_growing_jumps(self, make):
        plain, growing = make("davis2017"), make("davis2017", growing=True)
        source = SOURCES["davis2017"]
        assert [plain._jump(source, at) for at in (0, 2)] == [25, 25]
        growing._pass_count = 10
        assert [growing._jump(source, at) for at in range(10)] == [5, 10, 15, 20, 25, 25, 25, 25, 25, 5]
        assert [growing._jump(SOURCES["youtubevos"], at) for at in range(5)] == [1, 2, 3, 4, 5]

    def test_references_without_objects(self, make, monkeypatch):
        pairs = make("davis2017")
        monkeypatch.setattr("dropseg_vos.samples.choose_objects", lambda rng, labels, slots: [])
        with pytest.raises(ValueError, match="show no object"):
            pairs(1, 0)
        pairs._config = replace(pairs._config, empty="empty")
        counted = pairs(1, 0)
        assert counted.counts == {"samples without objects": 1}
        assert not counted.sample["present"].any()
        assert not counted.sample["masks"].any()

    def test_without_augmentation_frames_are_only_resized(self, data):
        recipe = get_recipe("debug")
        recipe = replace(recipe, data=replace(recipe.data, validation=(SOURCES["davis2017"],)))
        sample = pair_source(recipe, recipe.data.validation, data, training=False)(0, 0).sample
        frames = [
            normalise(
                np.asarray(Image.fromarray(video.frames[index]).resize((32, 32), Image.Resampling.BICUBIC)).copy()
            )
            for video in open_source(SOURCES["davis2017"], data)
            for index in range(len(video))
        ]
        assert any(np.allclose(sample["reference"], frame, atol=1e-5) for frame in frames)

    @pytest.mark.parametrize("name", SOURCES)
    def test_missing_data_is_named(self, tmp_path, name):
        with pytest.raises(AnnotationError, match=SOURCES[name].folder):
            open_source(SOURCES[name], tmp_path)


class TestPreparing:
    def test_videos_are_resized_once(self, data):
        root = data / "YouTube" / "2019" if (data / "YouTube" / "2019").is_dir() else data / "YouTube"
        done = prepare_youtubevos(root, short_side=24)
        assert (done.written, done.kept, done.failures) == (2, 0, {})
        for video in youtubevos_videos(root, "train", resized=24):
            assert video.frames[0].shape == (24, 32, 3)
            assert video.size == (24, 32)
            assert set(np.unique(video.labels(0))) <= {0, *video.objects}
        assert prepare_youtubevos(root, short_side=24).kept == 2

    def test_a_damaged_frame(self, data, tmp_path):
        for kind, name in (("JPEGImages", "00000.jpg"), ("Annotations", "00000.png")):
            (tmp_path / "train" / kind / "clip").mkdir(parents=True)
            (tmp_path / "train" / kind / "clip" / name).write_bytes(b"no image")
        assert list(prepare_youtubevos(tmp_path).failures) == ["clip"]

    def test_nothing_there(self, tmp_path):
        with pytest.raises(AnnotationError, match="no videos there"):
            prepare_youtubevos(tmp_path)


def test_published_recipes():
    released = get_recipe("retrain_s03")
    assert released == get_recipe("stage3")
    assert [(source.dataset, source.repeats, source.max_jump) for source in released.data.train] == [
        ("davis2017", 5, 25), ("youtubevos", 1, 5),
    ]  # fmt: skip
    assert released.loop.seed == 14159265
    static = {source.split: source.repeats for source in get_recipe("stage0").data.train}
    assert static == {"fss": 1, "DUTS-TR": 1, "DUTS-TE": 1, "ecssd": 1, "BIG_small": 5, "HRSOD_small": 5}
    assert get_recipe("stage1").data.area == (0.25, 1.0)
