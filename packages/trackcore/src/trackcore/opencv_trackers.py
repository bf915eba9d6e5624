"""OpenCV's trackers behind the tracker protocol: MIL, KCF, CSRT, NanoTrack, VitTrack and DaSiamRPN.

MIL is in every OpenCV. KCF and CSRT come with ``opencv-contrib-python``, which replaces ``opencv-python``. The three
networks need files that OpenCV does not bring; which, and where to get them, is in :data:`OPENCV_TRACKERS` and in the
error that a missing one raises.
"""

from __future__ import annotations

import ctypes
import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from trackcore.tracker import Prediction, check_box, check_correction, check_frame

MODELS = "TRACKCORE_MODELS"  # environment variable with the folder of model files


class MissingTrackerError(RuntimeError):
    """This OpenCV lacks the tracker, or the files it needs are not there; the message says how to get them."""


@dataclass(frozen=True)
class OpenCvTrackerInfo:
    """What is known about one of OpenCV's trackers.

    Attributes:
        factory: name of its class in ``cv2``.
        paper: where it was published.
        files: parameter of the class to file name; empty when it needs none.
        files_at: where the files can be had.
        smallest: side in pixels below which OpenCV's code fails or never returns.
        room: how many pixels smaller than the frame a rectangle must be.
        seeded: whether it draws random numbers.
    """

    factory: str
    paper: str
    files: Mapping[str, str] = field(default_factory=dict)
    files_at: str = ""
    smallest: int = 2
    room: int = 0
    seeded: bool = False


OPENCV_TRACKERS: dict[str, OpenCvTrackerInfo] = {
    "mil": OpenCvTrackerInfo(
        "TrackerMIL",
        'Babenko, Yang and Belongie, "Visual Tracking with Online Multiple Instance Learning", CVPR 2009',
        smallest=8,  # with sides of 4 the random choice of features loops for ever
        room=8,  # else OpenCV finds no samples of the background
        seeded=True,
    ),
    "kcf": OpenCvTrackerInfo(
        "TrackerKCF", 'Henriques et al., "High-Speed Tracking with Kernelized Correlation Filters", TPAMI 2015'
    ),
    "csrt": OpenCvTrackerInfo(
        "TrackerCSRT",
        'Lukezic et al., "Discriminative Correlation Filter with Channel and Spatial Reliability", CVPR 2017',
        smallest=4,
    ),
    "nano": OpenCvTrackerInfo(
        "TrackerNano",
        "NanoTrack, a small Siamese network",
        {"backbone": "nanotrack_backbone_sim.onnx", "neckhead": "nanotrack_head_sim.onnx"},
        "https://github.com/HonglinChu/SiamTrackers, NanoTrack/models",
    ),
    "vit": OpenCvTrackerInfo(
        "TrackerVit",
        "VitTrack, a small vision transformer",
        {"net": "object_tracking_vittrack_2023sep.onnx"},
        "https://github.com/opencv/opencv_zoo, models/object_tracking_vittrack",
    ),
    "dasiamrpn": OpenCvTrackerInfo(
        "TrackerDaSiamRPN",
        'Zhu et al., "Distractor-aware Siamese Networks for Visual Object Tracking", ECCV 2018',
        {
            "model": "object_tracking_dasiamrpn_model_2021nov.onnx",
            "kernel_cls1": "object_tracking_dasiamrpn_kernel_cls1_2021nov.onnx",
            "kernel_r1": "object_tracking_dasiamrpn_kernel_r1_2021nov.onnx",
        },
        "https://github.com/opencv/opencv_zoo, models/object_tracking_dasiamrpn (before 2025)",
    ),
}


class OpenCvTracker:
    """One of OpenCV's trackers (``opencv:mil``, ``opencv:kcf``, ``opencv:csrt``, ``opencv:nano``, ...).

    OpenCV takes rectangles of whole pixels and fails on some that leave the frame or fill it. It is therefore given the
    nearest rectangle that it can handle, and how that moves and grows is applied to the true box. A correction by
    :meth:`set_box` changes what is reported from then on, and not what OpenCV's tracker has learned or where it looks.

    Equal seeds give equal boxes on Linux and macOS, also when several trackers take turns. On Windows the C library's
    generator, from which MIL draws its features, is out of reach.

    Args:
        name: one of :data:`OPENCV_TRACKERS`.
        seed: of the random features and samples of trackers that draw any.
        models: folder of the model files; None takes the folder that the environment variable ``TRACKCORE_MODELS``
            names.

    Raises:
        ValueError: no such tracker.
        MissingTrackerError: this OpenCV does not have it, or a model file is missing.
    """

    def __init__(self, name: str, *, seed: int = 0, models: str | Path | None = None) -> None:
        if name not in OPENCV_TRACKERS:
            raise ValueError(f"OpenCV has no tracker {name!r} (known: {', '.join(OPENCV_TRACKERS)})")
        self.name, self.info = name, OPENCV_TRACKERS[name]
        self._seed = seed
        self._create = _creator(name, self.info, models)
        self._tracker: Any = None

    def init(self, frame: np.ndarray, box: np.ndarray) -> None:
        """Learn the target at ``box`` (x, y, w, h in pixels).

        Raises:
            ValueError: a frame or box no tracker can start from, or a frame that is too small for this one.
        """
        height, width = check_frame(frame).shape[:2]
        self._box = check_box(box, (height, width)).copy()
        smallest = self.info.smallest + self.info.room
        if min(height, width) < smallest:
            raise ValueError(f"{self.name} needs frames of at least {smallest} pixels a side, got {width} x {height}")
        left, columns = self._segment(self._box[0], self._box[2], width)
        top, rows = self._segment(self._box[1], self._box[3], height)
        # what OpenCV's rectangle was when the reported box was known to be right, and that box
        self._rectangle = self._reference = np.array([left, top, columns, rows], np.float64)
        self._known = self._box
        self._count = 0
        self._tracker = self._create()
        self._sow()
        self._tracker.init(cv2.cvtColor(frame, cv2.COLOR_RGB2BGR), (left, top, columns, rows))

    def update(self, frame: np.ndarray) -> Prediction:
        """Follow the target.

        The score is that of the network for those that are networks. For the others it is None where the target is
        found, for they have no confidence. Where it is not found, the last box comes with score 0.

        Raises:
            RuntimeError: :meth:`init` was not called.
        """
        check_frame(frame)
        if self._tracker is None:
            raise RuntimeError("call init(frame, box) before update(frame)")
        self._count += 1
        self._sow()
        found, rectangle = self._tracker.update(cv2.cvtColor(frame, cv2.COLOR_RGB2BGR))
        if not found or min(rectangle[2:]) <= 0:
            return Prediction(self._box.copy(), score=0.0)
        self._rectangle = np.array(rectangle, np.float64)
        growth = self._rectangle[2:] / self._reference[2:]
        offset = self._known[:2] - self._reference[:2]
        self._box = np.concatenate([self._rectangle[:2] + offset * growth, self._known[2:] * growth])
        # every tracker has this method; those that are no networks return 0
        score = float(np.clip(self._tracker.getTrackingScore(), 0, 1)) if self.info.files else None
        return Prediction(self._box.copy(), score)

    def set_box(self, box: np.ndarray) -> None:
        """Go on from a corrected box (x, y, w, h in pixels of the last frame).

        Raises:
            ValueError: the box has NaN or no area.
            RuntimeError: :meth:`init` was not called.
        """
        if self._tracker is None:
            raise RuntimeError("call init(frame, box) before set_box(box)")
        self._box = self._known = check_correction(box)
        self._reference = self._rectangle

    def _segment(self, start: float, length: float, limit: int) -> tuple[int, int]:
        """First pixel and length of the nearest side OpenCV can handle within ``limit`` pixels."""
        inside = max(0.0, start), min(float(limit), start + length)
        pixels = int(np.clip(round(inside[1] - inside[0]), self.info.smallest, limit - self.info.room))
        first = round((inside[0] + inside[1] - pixels) / 2)
        return int(np.clip(first, 0, limit - pixels)), pixels

    def _sow(self) -> None:
        """Seed both generators OpenCV draws from; per frame, because they are shared by the whole process."""
        if not self.info.seeded:
            return
        seed = (self._seed + self._count) % 2**31
        cv2.setRNGSeed(seed)
        if os.name == "posix":
            ctypes.CDLL(None).srand(ctypes.c_uint(seed))


def _creator(name: str, info: OpenCvTrackerInfo, models: str | Path | None) -> Any:
    """A function that makes a fresh tracker of OpenCV's."""
    kind = getattr(cv2, info.factory, None)
    if kind is None:
        raise MissingTrackerError(
            f"this OpenCV ({cv2.__version__}) has no {info.factory}, which {name!r} needs: it is in the contrib wheel; "
            "pip uninstall opencv-python, then pip install opencv-contrib-python"
        )
    if not info.files:
        return kind.create
    chosen = models if models is not None else os.environ.get(MODELS)
    wanted = ", ".join(info.files.values())
    if chosen is None:
        raise MissingTrackerError(
            f"{name!r} needs {wanted} from {info.files_at}: give the folder they are in as models, or in the "
            f"environment variable {MODELS}"
        )
    folder = Path(chosen)
    if lacking := [file for file in info.files.values() if not (folder / file).is_file()]:
        raise MissingTrackerError(f"{name!r} needs {wanted} from {info.files_at}: {folder} lacks {', '.join(lacking)}")
    parameters = getattr(cv2, f"{info.factory}_Params")()
    for parameter, file in info.files.items():
        setattr(parameters, parameter, str(folder / file))
    return partial(_read_model, kind, parameters, folder)


def _read_model(kind: Any, parameters: Any, folder: Path) -> Any:
    try:
        return kind.create(parameters)
    except cv2.error as error:
        raise MissingTrackerError(f"OpenCV cannot read the model files in {folder}: {error.err}") from error


# What the registry of trackers calls.
kcf = partial(OpenCvTracker, "kcf")
csrt = partial(OpenCvTracker, "csrt")
nano = partial(OpenCvTracker, "nano")
vit = partial(OpenCvTracker, "vit")
dasiamrpn = partial(OpenCvTracker, "dasiamrpn")
