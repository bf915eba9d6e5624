"""Following a target through a stream of frames."""

from __future__ import annotations

import itertools

import cv2
import numpy as np
import pytest

from trackcore.following import track_targets, track_video
from trackcore.tracker import Prediction
from trackcore.video import FrameReadError, open_video


class Drifting:
    """Moves one pixel to the right per frame."""

    def init(self, frame, box):
        self.box = np.array(box, float)

    def update(self, frame):
        self.box = self.box + np.array([1, 0, 0, 0])
        return Prediction(box=self.box, score=0.5)


@pytest.fixture
def folder(tmp_path):
    frames = tmp_path / "frames"
    frames.mkdir()
    for number in range(5):
        cv2.imwrite(str(frames / f"{number:04d}.jpg"), np.full((48, 64, 3), 40 * number, np.uint8))
    return frames


def test_boxes_overlay_and_summary(folder, tmp_path):
    boxes, overlay, seen = tmp_path / "out" / "boxes.txt", tmp_path / "overlay.mp4", []
    followed = track_video(
        Drifting(), folder, [10, 8, 20.5, 16], output=overlay, boxes=boxes,
        on_frame=lambda frame, prediction: seen.append(frame.index),
    )  # fmt: skip
    assert (followed.frames, followed.skipped, followed.score) == (5, 0, 0.5)
    assert followed.rate > 0
    assert seen == [0, 1, 2, 3, 4]
    assert boxes.read_text().splitlines() == [f"{10 + number},8,20.5,16" for number in range(5)]
    with open_video(overlay) as drawn:
        assert sum(1 for _ in drawn) == 5


def test_masks_are_drawn_where_there_are_any(folder, tmp_path):
    class Segmenting(Drifting):
        def update(self, frame):
            mask = np.zeros(frame.shape[:2], bool)
            mask[40:, :20] = True
            return Prediction(self.box, mask=mask)

    track_video(Segmenting(), folder, [30, 8, 20, 16], output=tmp_path / "overlay")
    drawn = [cv2.imread(str(tmp_path / "overlay" / f"{number:08d}.jpg")) for number in (1, 2)]
    assert drawn[0][44, 10].std() < 3  # the first frame has no mask and stays grey
    assert drawn[1][44, 10].std() > 20
    assert drawn[1][44, 50].std() < 3


def test_an_unreadable_frame_is_counted_and_keeps_its_line(folder, tmp_path):
    (folder / "0002.jpg").write_bytes(b"not an image")
    boxes = tmp_path / "boxes.txt"
    followed = track_video(Drifting(), folder, [10, 8, 20, 16], boxes=boxes)
    assert (followed.frames, followed.skipped) == (4, 1)
    assert [line.split(",")[0] for line in boxes.read_text().splitlines()] == ["10", "11", "11", "12", "13"]


def test_an_unreadable_first_frame_is_an_error(folder):
    (folder / "0000.jpg").write_bytes(b"not an image")
    with pytest.raises(FrameReadError, match="first frame"):
        track_video(Drifting(), folder, [10, 8, 20, 16])


def test_a_box_that_cannot_be_tracked_leaves_an_earlier_file_alone(folder, tmp_path):
    class Refusing(Drifting):
        def init(self, frame, box):
            raise ValueError("no such target")

    boxes = tmp_path / "boxes.txt"
    boxes.write_text("1,2,3,4\n")
    with pytest.raises(ValueError, match="no such target"):
        track_video(Refusing(), folder, [10, 8, 20, 16], boxes=boxes)
    assert boxes.read_text() == "1,2,3,4\n"


def test_an_interruption_keeps_what_was_tracked(folder, tmp_path):
    def stop(frame, prediction):
        if frame.index == 2:
            raise KeyboardInterrupt

    boxes, overlay = tmp_path / "boxes.txt", tmp_path / "overlay.mp4"
    followed = track_video(Drifting(), folder, [10, 8, 20, 16], output=overlay, boxes=boxes, on_frame=stop)
    assert followed.interrupted
    assert len(boxes.read_text().splitlines()) == 3
    with open_video(overlay) as drawn:
        assert sum(1 for _ in drawn) == 3


def test_a_video_of_one_frame_has_no_rate(folder):
    for extra in sorted(folder.iterdir())[1:]:
        extra.unlink()
    followed = track_video(Drifting(), folder, [10, 8, 20, 16])
    assert (followed.frames, followed.rate, followed.score) == (1, 0.0, None)


class Several:
    """Three targets' worth of :class:`Drifting`, of which the second gets lost."""

    def init(self, frame, boxes):
        self.drifting = [Drifting() for _ in boxes]
        for tracker, box in zip(self.drifting, boxes, strict=True):
            tracker.init(frame, box)

    def update(self, frame):
        found = [tracker.update(frame) for tracker in self.drifting]
        return [Prediction(entry.box, score=0.2 * number, lost=number == 1) for number, entry in enumerate(found)]


def test_several_targets(folder, tmp_path):
    boxes, overlay = tmp_path / "boxes.txt", tmp_path / "overlay"
    (folder / "0002.jpg").write_bytes(b"no image")
    targets = [[2, 8, 10, 16], [20, 8, 10, 16], [40, 8.5, 10, 16]]
    followed = track_targets(Several(), folder, targets, output=overlay, boxes=boxes)
    assert (followed.frames, followed.skipped, followed.lost) == (4, 1, 3)
    assert followed.score == pytest.approx(0.2)
    lines = boxes.read_text().splitlines()
    assert lines[:3] == [f"1,{n + 1},{x},{y},10,16,1,-1,-1,-1" for n, (x, y, *_) in enumerate(targets)]
    assert lines[3:6] == ["2,1,3,8,10,16,0,-1,-1,-1", "2,2,21,8,10,16,0.2,-1,-1,-1", "2,3,41,8.5,10,16,0.4,-1,-1,-1"]
    assert [line.split(",")[0] for line in lines[6:]] == ["4"] * 3 + ["5"] * 3
    drawn = cv2.imread(str(overlay / "00000001.jpg")).astype(int)
    colours = [drawn[16, x] for x in (3, 21, 41)]  # the left edges
    assert min(np.abs(one - other).max() for one, other in itertools.combinations(colours, 2)) > 60
