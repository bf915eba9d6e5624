"""Scoring masks of segmented videos: J and F as DAVIS and YouTube-VOS define them.

From Python::

    from trackdata.datasets import open_videos
    from trackdata.evaluation.segmentation import score_masks

    scores = score_masks("results/mine", open_videos("davis2017", root, "val"), workers=2)   # a Scores
"""

from trackdata.evaluation.segmentation.folders import label_videos, read_classes, write_davis_csv
from trackdata.evaluation.segmentation.measures import (
    boundary_accuracy,
    boundary_map,
    boundary_radius,
    label_measures,
    region_similarity,
)
from trackdata.evaluation.segmentation.protocols import PROTOCOLS, MaskProtocol, mask_protocol
from trackdata.evaluation.segmentation.results import MaskResults
from trackdata.evaluation.segmentation.scoring import combine, default_protocol, score_masks
from trackdata.evaluation.segmentation.statistics import Statistics, sequence_statistics
from trackdata.evaluation.segmentation.videos import VideoMeasures, measure_video

__all__ = [
    "PROTOCOLS",
    "MaskProtocol",
    "MaskResults",
    "Statistics",
    "VideoMeasures",
    "boundary_accuracy",
    "boundary_map",
    "boundary_radius",
    "combine",
    "default_protocol",
    "label_measures",
    "label_videos",
    "mask_protocol",
    "measure_video",
    "read_classes",
    "region_similarity",
    "score_masks",
    "sequence_statistics",
    "write_davis_csv",
]
