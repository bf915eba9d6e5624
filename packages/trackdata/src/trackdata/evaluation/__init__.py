"""Evaluation: run trackers over datasets, score the results under a named convention, write reports.

The whole way, from Python::

    from functools import partial
    from trackcore.tracker import create_tracker
    from trackdata.datasets import open_dataset
    from trackdata.evaluation import run, score, write_report

    dataset = open_dataset("got10k", root, "val")
    result = run("static", partial(create_tracker, "static"), dataset, "results", workers=2)
    scores = score(result, dataset)                        # prints as a table, scores.save("scores.json")
    report = write_report([("static", result)], dataset, "report")   # report.html is the page

Signatures:

- ``run(name, factory, dataset, output, *, identity=None, workers=1, engine=None, overwrite=False, limit=None,
  shard=WHOLE, on_progress=None) -> RunResult``: tracks every sequence once, resumes, records failures;
  ``run_all`` does several datasets, ``RunProgress`` draws a progress bar. ``engine`` is one of ``InProcess()``,
  ``LocalEngine(workers, devices, timeout)`` and ``RayEngine(workers, device, address, ...)``.
- ``tracker_identity(name, options) -> dict``: the ``identity`` for ``run``; hashes files and folders that options name.
- ``score(results, dataset, convention="default", name=None, limit=None) -> Scores``: from a RunResult or a folder.
- ``evaluate(convention, tracks, truths, tracker, dataset, failures) -> Scores``: the same from arrays.
- ``write_report(results, dataset, output, title=None, convention="default", worst=4, limit=None) -> Report``: HTML,
  Markdown, JSON and CSV.
- ``read_tracks``, ``write_track``, ``write_legacy``, ``write_toolkit``: result files.
- ``submit(benchmark, results, root, archive=None) -> Packed``: the checked archive for a benchmark's server;
  ``pack_got10k(folder, expected)`` and others in ``trackdata.evaluation.submissions`` do it without the dataset.
- ``comparison_table(scores)``: a rich table of several trackers, to print on a ``table_console()``;
  ``compare(scores) -> Comparison``: bootstrap intervals and paired differences; ``by_attribute(scores,
  read_attributes(dataset))``: figures by the benchmark's attributes.

Nothing here imports torch; Matplotlib and Jinja are imported when a report is written.
"""

from trackdata.evaluation.attributes import AttributeScores, by_attribute, read_attributes
from trackdata.evaluation.comparison import Comparison, Difference, compare
from trackdata.evaluation.conventions import (
    CONVENTIONS,
    Default,
    Got10k,
    LasotOfficial,
    Pysot,
    Pytracking,
    Toolkit,
    TrackingNet,
    convention,
)
from trackdata.evaluation.engines import Engine, InProcess, LocalEngine, RayEngine
from trackdata.evaluation.identity import tracker_identity
from trackdata.evaluation.progress import RunProgress
from trackdata.evaluation.records import PredictionError, Track, Truth, TruthError
from trackdata.evaluation.report import Report, write_report
from trackdata.evaluation.results import ResultError, read_tracks, write_legacy, write_toolkit, write_track
from trackdata.evaluation.runner import Outcome, Progress, RunResult, TrackerStartError, run, run_all
from trackdata.evaluation.scores import (
    Convention,
    ConventionWarning,
    Scores,
    comparison_table,
    evaluate,
    load_scores,
    table_console,
)
from trackdata.evaluation.scoring import score
from trackdata.evaluation.sequence_scores import SequenceScores
from trackdata.evaluation.shards import Shard
from trackdata.evaluation.submissions import SubmissionError, pack_got10k, pack_trackingnet, submit

__all__ = [
    "CONVENTIONS",
    "AttributeScores",
    "Comparison",
    "Convention",
    "ConventionWarning",
    "Default",
    "Difference",
    "Engine",
    "Got10k",
    "InProcess",
    "LasotOfficial",
    "LocalEngine",
    "Outcome",
    "PredictionError",
    "Progress",
    "Pysot",
    "Pytracking",
    "RayEngine",
    "Report",
    "ResultError",
    "RunProgress",
    "RunResult",
    "Scores",
    "SequenceScores",
    "Shard",
    "SubmissionError",
    "Toolkit",
    "Track",
    "TrackerStartError",
    "TrackingNet",
    "Truth",
    "TruthError",
    "by_attribute",
    "compare",
    "comparison_table",
    "convention",
    "evaluate",
    "load_scores",
    "pack_got10k",
    "pack_trackingnet",
    "read_attributes",
    "read_tracks",
    "run",
    "run_all",
    "score",
    "submit",
    "table_console",
    "tracker_identity",
    "write_legacy",
    "write_report",
    "write_toolkit",
    "write_track",
]
