"""Datasets of segmented videos, and one tracking sequence for each of their objects."""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import dataclass, replace
from functools import partial
from pathlib import PurePath
from typing import Literal, get_args

import numpy as np

from trackdata.datasets.folder import list_frames
from trackdata.datasets.object_tracks import PER_OBJECT, UNKNOWN, measure_video, read_objects, select_objects
from trackdata.deferred import Deferred
from trackdata.errors import AnnotationError
from trackdata.frames import StoredFrames
from trackdata.masks import BoxRule, check_box_rule, corner_boxes
from trackdata.parsing import valid_boxes
from trackdata.sequences import Sequence
from trackdata.storage import Store
from trackdata.storage.store import join
from trackdata.videos import SegmentedVideo, StoredLabels, VideoList

Kept = Literal["all", "visible"]


def list_labelled(store: Store, images: str, labels: str, binary: bool = False) -> tuple[StoredFrames, StoredLabels]:
    """The frames in the folder ``images`` and their label maps: the PNG files of the same names in ``labels``.

    Raises:
        AnnotationError: there are no frames.
    """
    frames = list_frames(store, images)
    present = {PurePath(name).stem for name in store.files(labels) if name.endswith(".png")}
    stems = (PurePath(key).stem for key in frames.keys)
    keys = tuple(join(labels, f"{stem}.png") if stem in present else None for stem in stems)
    return frames, StoredLabels(store, keys, binary)


@dataclass(frozen=True)
class ObjectMasks:
    """The masks of one object: ``masks(index)`` is ``(H, W)`` bool.

    Attributes:
        video: the video.
        number: the object.
        frames: ``(N,)``, the video's frames that are frames 0 to N - 1 of the sequence.
    """

    video: SegmentedVideo
    number: int
    frames: np.ndarray

    def __call__(self, index: int) -> np.ndarray:
        """The mask of frame ``index``. Raises AnnotationError for a frame that is not annotated."""
        frame = int(self.frames[index])
        labels = self.video.labels(frame)
        if labels is None:
            raise AnnotationError(f"{self.video.name}: frame {self.video.frame_names[frame]} has no label map")
        return labels == self.number


class ObjectSequences:
    """One tracking sequence per object of segmented videos, in the videos' order.

    Boxes are those around the masks. To know them, every label map is decoded once, into an index.

    Attributes:
        name: what reports call it.
        still: False.
    """

    still = False

    def __init__(
        self,
        videos: VideoList,
        store: Store,
        inputs: Collection[str],
        *,
        first_only: bool = False,
        only: Collection[str] | None = None,
        box_rule: BoxRule = "inclusive",
        min_pixels: int = 10,
        keep: Kept = "all",
        max_target_area: float | None = None,
        name: str | None = None,
    ) -> None:
        """
        Args:
            videos: the videos of the index.
            store, inputs: keys of the files and folders they are made of; when one changes, label maps are read again.
            first_only: masks are public only where an object appears: sequences begin there and have one box.
            only: names of the videos wanted; None takes all.
            box_rule: see :data:`~trackdata.masks.BoxRule`.
            min_pixels: a target is visible when its mask has more pixels than this (pytracking: 10).
            keep: ``all`` frames, or only those in which the target is ``visible`` (Alpha-Refine, with 1,000 pixels).
            max_target_area: leave out objects that, in the first frame that shows them, have a square root of box area
                over image area not below this; None keeps them.
            name: what reports call it; by default as ``videos``.

        Raises:
            ValueError: unknown ``keep`` or ``box_rule``.
        """
        if keep not in get_args(Kept):
            raise ValueError(f"keep is one of {', '.join(get_args(Kept))}, got {keep!r}")
        check_box_rule(box_rule)
        self.name = name or videos.name
        self._videos = videos
        self._first_only = first_only
        self._rule = box_rule
        self._min_pixels = min_pixels
        self._keep = keep
        rules = {"box_rule": box_rule, "min_pixels": min_pixels, "keep": keep, "max_target_area": max_target_area}
        load = partial(read_objects, videos, store, tuple(inputs))
        self._tracks = Deferred(partial(_select, videos, load, None if only is None else frozenset(only), **rules))
        self._tracks.value  # noqa: B018 - what is wrong is told now, and forked workers share the table

    def __len__(self) -> int:
        return len(self._tracks.value["first"])

    @property
    def sequence_names(self) -> tuple[str, ...]:
        """``<video>_<object>``, in order; a video whose objects are not known, because it cannot be read, is one."""
        names, tracks = self._videos.video_names, self._tracks.value
        places = zip(tracks["video"].tolist(), tracks["object"].tolist(), strict=True)
        return tuple(names[place] if number == UNKNOWN else f"{names[place]}_{number}" for place, number in places)

    def __getitem__(self, index: int) -> Sequence:
        """Sequence ``index``, called ``<video>_<object>``.

        ``visible`` is: more than ``min_pixels`` pixels; ``absent``, where all frames are annotated: none. Frames
        without label map have boxes of NaN. ``attributes`` has ``video``, ``object``, ``frame_numbers`` (N,), the
        frames' places in the video, ``pixels`` (N,), those of the mask, -1 where it is unknown, and ``resolution``
        (width, height).

        Raises:
            AnnotationError: a label map of the video is missing or damaged; the message names it. A video like that is
                one sequence, as its objects are not known.
        """
        tracks = self._tracks.value
        index = range(len(self))[index]
        number, place = int(tracks["object"][index]), int(tracks["video"][index])
        video = self._videos[place]
        if number == UNKNOWN:
            measure_video(self._videos, place)
            raise AnnotationError(f"{video.name}: could not be read before, but now; open the dataset again")
        rows = slice(tracks["first"][index], tracks["last"][index])
        pixels = np.full(len(video), -1, np.int64)
        corners = np.zeros((len(video), 4), np.int64)
        pixels[tracks["frame"][rows]] = tracks["pixels"][rows]
        corners[tracks["frame"][rows]] = tracks["corners"][rows]
        frames = np.arange(len(video))
        if self._first_only:
            frames = frames[video.first_frames[number] :]
        elif self._keep == "visible":
            frames = frames[pixels > self._min_pixels]
        boxes, pixels = corner_boxes(corners[frames], pixels[frames], self._rule), pixels[frames]
        boxes[pixels < 0] = np.nan
        boxes = boxes[:1] if self._first_only else boxes
        valid = valid_boxes(boxes) & (pixels[: len(boxes)] > 0)
        return Sequence(
            name=f"{video.name}_{number}",
            frames=replace(video.frames, keys=tuple(video.frames.keys[frame] for frame in frames)),
            boxes=boxes,
            valid=valid,
            visible=None if self._first_only else valid & (pixels > self._min_pixels),
            absent=pixels == 0 if (pixels >= 0).all() else None,
            object_class=video.classes.get(number),
            attributes={
                "video": video.name,
                "object": number,
                "frame_numbers": frames,
                "pixels": pixels,
                "resolution": video.size[::-1],
            },
            masks=ObjectMasks(video, number, frames),
        )

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self.name}: {len(self)} sequences>"


def _select(
    videos: VideoList,
    load: Callable[[], dict[str, np.ndarray]],
    only: frozenset[str] | None,
    *,
    box_rule: BoxRule,
    min_pixels: int,
    keep: Kept,
    max_target_area: float | None,
) -> dict[str, np.ndarray]:
    """The table of the objects that pass, and of unreadable videos."""
    tracks = load()
    kept = select_objects(tracks, min_pixels, max_target_area, box_rule, keep_unseen=keep == "all")
    if only is not None:
        kept &= np.array([name in only for name in videos.video_names], bool)[tracks["video"]]
    return tracks | {key: tracks[key][kept] for key in PER_OBJECT}
