"""What others have reported about published data. Notes, because no other copy is better."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from functools import cache
from typing import NamedTuple

from trackdata.datasets.lists import read_list
from trackdata.datasets.youtubevos_files import STARTS


class _Report(NamedTuple):
    dataset: str  # the start of the dataset's name
    names: Iterable[str]
    text: str


def _train(numbers: Iterable[int]) -> list[str]:
    return [f"GOT-10k_Train_{number:06d}" for number in numbers]


def _reports() -> list[_Report]:
    # The number of a sequence counts from 1.
    return [
        _Report("got10k", _train(map(int, read_list("got10k_unfixed_numbers"))), "faulty (list of video_analyst)"),
        _Report(
            "got10k",
            _train([*range(8623, 8638), 9058, 9059]),
            "frames at the start repeat and boxes do not fit (got-10k/toolkit#10, MIV-XJTU/ARTrack#81)",
        ),
        _Report("got10k", _train([1636, 1638]), "wrong frames (got-10k/toolkit#29)"),
        _Report(
            "got10k",
            [*_train([7947]), "GOT-10k_Val_000136", "GOT-10k_Val_000137"],
            "frames of several sizes (got-10k/toolkit#25, visionml/pytracking#98)",
        ),
        _Report(
            "trackingnet",
            ["a1qoB1eERn0_0"],
            "interpolated boxes are wrong around frames 155 to 170 (SilvioGiancola/TrackingNet-devkit#24)",
        ),
        _Report("lasot", ["tiger-6"], "frame 118 has a box of negative size (HengLan/LaSOT_Evaluation_Toolkit#10)"),
        _Report("lasot", ["lion-5", "microphone-6"], "one empty box is not flagged as absent"),
        _Report("lasot", ["monkey-17"], "2,260 frames are annotated; some trackers report more"),
        _Report(
            "youtubevos",
            read_list("youtubevos2019_train_excluded"),
            "left out of training by STCN and DropSeg as erroneous, which nobody has verified",
        ),
        _Report(
            "youtubevos",
            [video for video, _ in STARTS],
            "meta.json has the first frame of an object wrong (option `starts` corrects it)",
        ),
    ]


@cache
def known_reports(dataset: str) -> Mapping[str, tuple[str, ...]]:
    """What is known about sequences of ``dataset``, by sequence."""
    found: dict[str, tuple[str, ...]] = {}
    for report in _reports():
        if dataset.lower().startswith(report.dataset):
            for name in report.names:
                found[name] = (*found.get(name, ()), report.text)
    return found
