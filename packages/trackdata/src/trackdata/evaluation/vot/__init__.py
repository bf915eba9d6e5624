"""The VOT challenges: running their experiments, reading and writing the toolkit's results, and its measures.

- supervised (to VOT2019): restart five frames after a failure; accuracy, robustness, expected average overlap;
- multi-start (VOT2020 to 2022): runs from anchors, forward and backward; the same three, defined anew;
- long-term: one pass with confidences; precision, recall and F.

From Python::

    from trackdata.evaluation.vot import challenge, run_experiment, score_experiment

    rules = challenge("vot2020").experiment
    run_experiment("mil", factory, dataset, rules, "results")      # results/mil/baseline/<sequence>/...
    scores = score_experiment("results/mil", dataset, rules)       # a Scores: prints, saves, compares
"""

from trackdata.evaluation.vot.challenges import CHALLENGES, Challenge, challenge
from trackdata.evaluation.vot.experiments import LongTerm, MultiStart, Supervised
from trackdata.evaluation.vot.longterm import score_longterm
from trackdata.evaluation.vot.multistart import score_multistart
from trackdata.evaluation.vot.overlaps import region_overlap, region_overlaps
from trackdata.evaluation.vot.running import run_experiment
from trackdata.evaluation.vot.scoring import score_experiment
from trackdata.evaluation.vot.supervised import score_supervised
from trackdata.evaluation.vot.trajectories import Trajectory, read_trajectory, write_trajectory
from trackdata.evaluation.vot.truth import VotTruth

__all__ = [
    "CHALLENGES",
    "Challenge",
    "LongTerm",
    "MultiStart",
    "Supervised",
    "Trajectory",
    "VotTruth",
    "challenge",
    "read_trajectory",
    "region_overlap",
    "region_overlaps",
    "run_experiment",
    "score_experiment",
    "score_longterm",
    "score_multistart",
    "score_supervised",
    "write_trajectory",
]
