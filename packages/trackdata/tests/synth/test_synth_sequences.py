"""Generated sequences in memory: determinism, exactness of annotations, the statistics training relies on."""

import pickle
from dataclasses import replace

import numpy as np
import pytest

from trackdata.sequences import Dataset, find
from trackdata.synth import SynthConfig, SynthDataset, generate_sequence, preset
from trackdata.synth.annotations import mask_bounds
from trackdata.synth.curves import STILL, Curve
from trackdata.synth.scene import Lens, Light
from trackdata.synth.sequence import SynthSequence, as_sequence

SMALL = SynthConfig(size=(96, 64), frames=6, clutter=(2, 5))


def frames_of(sequence):
    return [sequence.frame(index) for index in range(len(sequence))]


def test_the_same_arguments_give_the_same_bits():
    first, again = (generate_sequence(3, "train", 5, SMALL) for _ in range(2))
    assert [first.jpeg(i) for i in range(6)] == [again.jpeg(i) for i in range(6)]
    assert np.array_equal(first.boxes, again.boxes)


def test_frames_do_not_depend_on_the_order_of_rendering():
    forward, backward = (generate_sequence(3, "train", 5, SMALL) for _ in range(2))
    ahead = [forward.jpeg(i) for i in range(6)]
    behind = [backward.jpeg(i) for i in reversed(range(6))]
    assert ahead == behind[::-1]


@pytest.mark.parametrize("change", [{"seed": 4}, {"split": "val"}, {"index": 6}])
def test_seed_split_and_index_each_give_another_sequence(change):
    arguments = {"seed": 3, "split": "train", "index": 5}
    first, other = (generate_sequence(**used, config=SMALL) for used in (arguments, arguments | change))
    assert first.jpeg(0) != other.jpeg(0)
    assert not np.array_equal(first.boxes, other.boxes)


def test_more_frames_continue_the_same_motion():
    short, long = (generate_sequence(0, "train", 1, replace(SMALL, frames=n)) for n in (4, 8))
    assert np.array_equal(short.boxes, long.boxes[:4])


def test_boxes_are_the_bounds_of_the_unoccluded_mask():
    for index in range(12):
        sequence = generate_sequence(1, "val", index, replace(preset("hard"), size=(120, 90), frames=20))
        for time in range(0, 20, 5):
            (masks,) = sequence.masks(time)
            assert np.array_equal(sequence.boxes[time], mask_bounds(masks.amodal))
            assert not (masks.visible & ~masks.amodal).any()
            assert np.array_equal(sequence.mask(time), masks.visible)
            assert sequence.cover[time] == int(np.ceil(8 * masks.visible.sum() / masks.whole))
            assert sequence.absence[time] == (not masks.visible.any())
            assert sequence.cut_by_image[time] == (masks.amodal.sum() < masks.whole)


def test_mask_bounds_count_columns_and_rows():
    mask = np.zeros((5, 7), bool)
    mask[1:3, 2:6] = True
    assert mask_bounds(mask).tolist() == [2, 1, 4, 2]
    assert mask_bounds(np.zeros((5, 7), bool)).tolist() == [0, 0, 0, 0]


def plain(sequence: SynthSequence) -> SynthSequence:
    """The same motion in even light through a perfect lens, the target dyed white on black."""
    scene = sequence.scene
    white, black = ((1.0, 1.0, 1.0),) * 3, ((0.0, 0.0, 0.0),) * 3

    def dyed(texture, palette):
        return replace(texture, palette=palette, marks=0, grain=0.0)

    look = scene.target.appearance
    look = replace(look, textures=tuple(dyed(texture, white) for texture in look.textures), shade=0.0, rim=0.0)
    background = replace(
        scene.background, textures=tuple(dyed(t, black) for t in scene.background.textures), clutter=()
    )
    target = replace(scene.target, appearance=look)
    bare = replace(scene, background=background, target=target, below=(), above=(), light=Light(), lens=Lens())
    return SynthSequence(sequence.name, bare)


@pytest.mark.parametrize("index", range(6))
def test_the_box_encloses_the_rendered_pixels(index):
    """A white target on black, found in the picture by its brightness, lies where the annotation says."""
    sequence = plain(generate_sequence(2, "train", index, replace(SMALL, size=(160, 120))))
    for time in range(len(sequence)):
        bright = sequence._renderer.frame(time).max(axis=2) > 127
        assert np.array_equal(mask_bounds(bright), sequence.boxes[time])
        assert np.mean(bright != sequence.mask(time)) < 1e-3


def test_a_target_that_leaves_has_a_zero_box_and_is_absent():
    sequence = generate_sequence(0, "train", 0, SMALL)
    away = replace(sequence.scene.target, x=Curve(48.0, slope=60.0), y=Curve(32.0))
    gone = SynthSequence("gone", replace(sequence.scene, target=away, above=()))
    assert gone.boxes[-1].tolist() == [0, 0, 0, 0]
    assert gone.absence.tolist()[0] is False
    assert gone.absence[-1]
    assert gone.cover[-1] == 0
    assert gone.cut_by_image[-1]
    assert not gone.mask(5).any()
    read = as_sequence(gone)
    assert not read.valid[-1]
    assert not read.visible[-1]


def test_a_hidden_target_keeps_its_box():
    sequence = generate_sequence(0, "train", 0, SMALL)
    scene = sequence.scene
    curtain = replace(scene.target, scale=Curve(float(np.log(500))), stretch=STILL, x=Curve(48.0), y=Curve(32.0))
    open_view, covered = (SynthSequence("s", replace(scene, above=above)) for above in ((), (curtain,)))
    assert np.array_equal(open_view.boxes, covered.boxes)
    assert covered.absence.all()
    assert not covered.cover.any()
    assert not as_sequence(covered).visible.any()
    assert as_sequence(covered).valid.all()


@pytest.mark.parametrize("name", ["easy", "standard", "hard"])
def test_targets_start_whole_and_uncovered(name):
    for index in range(25):
        sequence = generate_sequence(9, "train", index, replace(preset(name), frames=1))
        assert sequence.cover[0] == 8
        assert not sequence.cut_by_image[0]
        assert (sequence.boxes[0, 2:] >= 4).all()


def test_targets_move_steadily_and_away():
    """From one frame to the next the target stays near, over a sequence it does not: the box that never moves fails."""
    steps, overlaps = [], []
    for index in range(25):
        sequence = generate_sequence(4, "val", index)
        boxes = sequence.boxes[~sequence.cut_by_image]
        centers, sizes = boxes[:, :2] + boxes[:, 2:] / 2, np.sqrt(boxes[:, 2] * boxes[:, 3])
        steps.append(np.hypot(*np.diff(centers, axis=0).T) / sizes[:-1])
        low = np.maximum(boxes[:, :2], boxes[0, :2])
        high = np.minimum(boxes[:, :2] + boxes[:, 2:], boxes[0, :2] + boxes[0, 2:])
        shared = np.clip(high - low, 0, None).prod(axis=1)
        overlaps.append(np.mean(shared / (boxes[:, 2:].prod(axis=1) + boxes[0, 2:].prod() - shared)))
    assert np.quantile(np.concatenate(steps), 0.9) < 0.2
    assert 0.1 < np.mean(overlaps) < 0.4


@pytest.mark.parametrize("size", [(33, 47), (101, 75), (64, 200)])
def test_odd_sizes(size):
    sequence = generate_sequence(0, "train", 0, replace(SMALL, size=size, frames=2))
    assert sequence.frame(1).shape == (size[1], size[0], 3)
    assert sequence.mask(1).shape == (size[1], size[0])


def test_one_frame():
    sequence = generate_sequence(0, "train", 0, replace(SMALL, frames=1))
    assert sequence.boxes.shape == (1, 4)
    assert len(frames_of(sequence)) == 1
    with pytest.raises(IndexError, match="frame 1 of a scene with 1"):
        sequence.frame(1)


def test_every_effect_can_be_switched_off():
    off = dict.fromkeys(("camera", "deformation", "rotation", "light", "blur", "noise"), 0.0)
    sequence = generate_sequence(0, "train", 0, replace(SMALL, distractors=(0, 0), clutter=(0, 0), **off))
    assert sequence.frame(0).std() > 0
    assert sequence.scene.lens.quality == 95
    assert sequence.scene.light.contrast == 1.0


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"size": (16, 240)}, "size must be at least 32 x 32"),
        ({"frames": 0}, "frames must be at least 1"),
        ({"distractors": (3, 1)}, r"distractors must be a range .* \(3, 1\)"),
        ({"target_size": (0.1, 0.9)}, "target_size must lie in"),
        ({"speed": (0.0, 0.1)}, "speed must be above 0"),
        ({"blur": -1.0}, "blur is a strength from 0"),
        ({"leaving": 1.5}, "leaving is a share"),
    ],
)
def test_configurations_out_of_range_are_refused(changes, message):
    with pytest.raises(ValueError, match=message):
        SynthConfig(**changes)


def test_unknown_names_get_a_suggestion():
    with pytest.raises(ValueError, match="did you mean 'standard'"):
        preset("standart")
    with pytest.raises(ValueError, match="did you mean 'frames'"):
        preset("easy", frame=3)
    assert preset("easy", frames=3).frames == 3


@pytest.mark.parametrize(("seed", "split", "index"), [(-1, "train", 0), (0, "train", -1), (0, "../up", 0), (0, "", 0)])
def test_bad_addresses_are_refused(seed, split, index):
    with pytest.raises(ValueError, match="must"):
        generate_sequence(seed, split, index, SMALL)


def test_the_dataset_serves_sequences():
    dataset = SynthDataset(0, "val", 3, SMALL, keep=1)
    assert isinstance(dataset, Dataset)
    assert not dataset.still
    sequence = dataset[2]
    assert sequence.name == "GOT-10k_Val_000003"
    assert find(dataset, sequence.name).name == sequence.name
    assert len(sequence) == 6
    assert sequence.boxes.dtype == np.float64
    assert sequence.visible[0]
    assert sequence.masks(0).sum() > 0
    frame = sequence.frames[0]
    frame[:] = 0  # a caller may draw on what it gets
    assert sequence.frames[0].any()
    with pytest.raises(IndexError, match="sequence 3 of synth_val"):
        dataset[3]


def test_the_dataset_survives_pickling_with_rendered_frames():
    dataset = SynthDataset(0, "val", 1, SMALL)
    expected = dataset[0].frames[3]
    copy = pickle.loads(pickle.dumps(dataset))
    assert np.array_equal(copy[0].frames[3], expected)
    assert np.array_equal(copy[0].frames[4], dataset[0].frames[4])


def test_several_objects_may_be_annotated():
    config = replace(SMALL, size=(160, 120), objects=(3, 3))
    for index in range(8):
        alone = generate_sequence(2, "train", index, replace(config, objects=(1, 1)))
        sequence = generate_sequence(2, "train", index, config)
        assert len(sequence.tracks) == 3
        assert np.array_equal(sequence.tracks[0].outside, alone.tracks[0].outside)
        masks = sequence.masks(4)
        assert sum(mask.visible.astype(int) for mask in masks).max() <= 1  # a pixel shows one object
        labels = sequence.labels(4)
        for number, (track, mask) in enumerate(zip(sequence.tracks, masks, strict=True), start=1):
            assert np.array_equal(track.boxes[4], mask_bounds(mask.amodal))
            assert np.array_equal(track.visible_boxes[4], mask_bounds(labels == number))
            assert track.area[4] == (labels == number).sum()
            assert track.outside[4] == (not mask.amodal.any())


def test_the_target_is_the_same_however_many_objects_are_annotated():
    one, several = (generate_sequence(2, "train", 3, replace(SMALL, objects=n)) for n in ((1, 1), (4, 4)))
    assert np.array_equal(one.boxes, several.boxes)
    assert one.scene.target == several.scene.target


def test_some_annotated_objects_come_in_later():
    config = replace(SMALL, objects=(4, 4), frames=12)
    tracks = [t for index in range(12) for t in generate_sequence(2, "train", index, config).tracks[1:]]
    late = [track for track in tracks if track.outside[0] and not track.outside.all()]
    assert 4 <= len(late) <= 20  # of 36
    assert all(track.area.max() > 20 for track in late)
