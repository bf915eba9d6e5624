"""Generated worlds: determinism, exact annotation, and the properties that sampling promises."""

import pickle
from dataclasses import replace

import numpy as np
import pytest

from trackdata.synth import SynthDataset, generate_sequence, preset
from trackdata.synth.annotations import mask_bounds
from trackdata.synth.config import WorldConfig, recorded
from trackdata.synth.scene import Light
from trackdata.synth.sequence import SynthSequence
from trackdata.synth.world.films import Film
from trackdata.synth.world.places import SETTINGS
from trackdata.synth.world.skies import Sky
from trackdata.synth.world.worlds import Place

SMALL = preset("rich", size=(128, 96), frames=5)
PLACES = sorted(SETTINGS)


def in_place(place, **changes):
    return replace(SMALL, world=replace(SMALL.world, places=(place,)), **changes)


def test_the_same_arguments_give_the_same_bits_in_any_order():
    config = replace(SMALL, world=replace(SMALL.world, compressed=1.0), frames=14)
    ahead = [generate_sequence(3, "train", 2, config).jpeg(i) for i in (0, 5, 13)]
    again = generate_sequence(3, "train", 2, config)
    assert [again.jpeg(i) for i in (13, 5, 0)] == ahead[::-1]
    assert generate_sequence(3, "train", 3, config).jpeg(0) != ahead[0]


@pytest.mark.parametrize("place", PLACES)
def test_targets_start_whole_and_uncovered(place):
    for index in range(4):
        sequence = generate_sequence(5, "train", index, in_place(place, frames=12, occluders=(2, 3), clutter=(40, 60)))
        assert sequence.scene.place.kind == place
        track = sequence.tracks[0]
        assert track.area[0] >= 24
        if sequence.scene.film.bars == (0, 0, 0, 0) and sequence.scene.film.print is None:
            assert track.cover[0] == 8
            assert not track.cut[0]


def test_annotations_follow_from_the_masks():
    for index in range(6):
        sequence = generate_sequence(1, "val", index, replace(SMALL, objects=(2, 3)))
        for time in (0, 3):
            masks = sequence.masks(time)
            labels = sequence.labels(time)
            assert sum(mask.visible.astype(int) for mask in masks).max() <= 1
            for number, (track, mask) in enumerate(zip(sequence.tracks, masks, strict=True), start=1):
                assert np.array_equal(track.boxes[time], mask_bounds(mask.amodal))
                assert not (mask.visible & ~mask.amodal).any()
                assert np.array_equal(labels == number, mask.visible)
                assert mask.amodal.sum() <= mask.whole or track.cut[time]


def plain(sequence):
    """The same geometry in even light through a perfect lens, the target dyed white on black."""
    world = sequence.scene
    black = Sky("clear", "none", ((0, 0, 0),) * 3, 0)
    place = Place("nowhere", (), black, (0, 1, 0), ambient=1.0, shadow=0.0)

    def dyed(performer, color):
        material = replace(performer.materials[0], pattern="plain", palette=(color,) * 2, wear=0.0, gloss=0.0)
        return replace(performer, materials=(material,) * len(performer.materials))

    performers = tuple(dyed(p, (float(n == 0),) * 3) for n, p in enumerate(world.performers))
    bare = replace(world, place=place, performers=performers, light=Light(), film=Film(exposure=1e6))
    return SynthSequence(sequence.name, bare)


@pytest.mark.parametrize("index", range(8))
def test_the_mask_encloses_the_rendered_pixels(index):
    """A white target on black, found in the picture by its brightness, lies where the annotation says."""
    sequence = plain(generate_sequence(2, "train", index, replace(SMALL, size=(160, 120), bystanders=(2, 2))))
    for time in (0, 4):
        image = sequence._renderer._rendered(time)
        mask = sequence.mask(time)
        # 70 to 100 % of the light falls on a face: half covered pixels have 89 to 127 grey levels, and fewer where
        # something in front covers a part of them as well
        bright, solid = image.max(axis=2) > 127, image.max(axis=2) > 88
        assert not (bright & ~mask).any()
        assert (mask & ~solid).sum() <= 0.02 * mask.sum()


def test_some_annotated_objects_come_in_later():
    config = replace(SMALL, distractors=(1, 1), bystanders=(1, 1), objects=(4, 4), frames=10)
    tracks = [t for index in range(6) for t in generate_sequence(4, "train", index, config).tracks[1:]]
    late = [track for track in tracks if track.outside[0] and not track.outside.all()]
    assert 2 <= len(late) <= 12  # of 18


def test_shares_bring_about_what_they_promise():
    """Over many sequences: growth of four times, fast motion, hiding, leaving and coming back."""
    config = replace(SMALL, frames=40, clutter=(0, 8), bystanders=(0, 1), distractors=(0, 1))
    seen = {"growth": 0, "rush": 0, "hidden": 0}
    for index in range(12):
        changes = {"growth": 1.0} if index < 4 else {"rush": 1.0} if index < 8 else {"hiding": 1.0}
        world = replace(WorldConfig(growth=0.0, rush=0.0, hiding=0.0), **changes)
        track = generate_sequence(6, "train", index, replace(config, world=world)).tracks[0]
        whole = ~track.cut & ~track.outside
        sizes = np.sqrt(track.boxes[whole, 2] * track.boxes[whole, 3])
        centers = track.boxes[:, :2] + track.boxes[:, 2:] / 2
        steps = np.hypot(*np.diff(centers, axis=0).T)[whole[1:] & whole[:-1]]
        seen["growth"] += index < 4 and sizes.max() / sizes.min() > 2.5
        seen["rush"] += 4 <= index < 8 and np.quantile(steps, 0.9) > 0.2 * np.median(sizes)
        seen["hidden"] += index >= 8 and (track.hidden > 0.5).any()
    assert all(count >= 2 for count in seen.values()), seen


def test_places_and_sorts_can_be_chosen():
    world = WorldConfig(places=("meadow", "sky"), sorts=("plane",))
    sequence = generate_sequence(0, "train", 0, replace(SMALL, world=world))
    assert sequence.scene.place.kind == "sky"
    assert sequence.tracks[0].object_class == "plane"
    for world, message in (
        (WorldConfig(places=("moon",)), "places has 'moon'; there are aerial"),
        (WorldConfig(sorts=("unicorn",)), "sorts has 'unicorn'; there are ball"),
        (WorldConfig(places=("sky",), sorts=("person",)), "none of the places sky has targets of the sorts person"),
    ):
        with pytest.raises(ValueError, match=message):
            generate_sequence(0, "train", 0, replace(SMALL, world=world))


@pytest.mark.parametrize(
    ("changes", "message"), [({"growth": 1.5}, "growth is a share"), ({"places": ()}, "places must")]
)
def test_configurations_out_of_range_are_refused(changes, message):
    with pytest.raises(ValueError, match=message):
        WorldConfig(**changes)


@pytest.mark.parametrize("size", [(33, 47), (200, 64)])
def test_odd_sizes(size):
    for index in range(3):
        sequence = generate_sequence(0, "train", index, replace(SMALL, size=size, frames=2))
        assert sequence.frame(1).shape == (size[1], size[0], 3)
        assert sequence.mask(1).shape == (size[1], size[0])
    with pytest.raises(IndexError, match="frame 2 of a world with 2"):
        sequence.frame(2)


def test_the_dataset_serves_worlds_and_survives_pickling():
    dataset = SynthDataset(0, "val", 2, SMALL)
    sequence = dataset[1]
    assert sequence.object_class in {sort for s in SETTINGS.values() for sort in (*s.standing, *s.flying)}
    copy = pickle.loads(pickle.dumps(dataset))
    assert np.array_equal(copy[1].frames[2], sequence.frames[2])


def test_what_a_configuration_is_noted_as_tells_worlds_apart():
    assert "world" not in recorded(preset("standard"))
    assert "objects" not in recorded(preset("standard"))
    assert recorded(SMALL)["world"]["growth"] == 0.25
    assert recorded(replace(preset("standard"), objects=(1, 2)))["objects"] == (1, 2)
