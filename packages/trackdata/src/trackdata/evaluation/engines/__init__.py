"""Where the sequences of a run are tracked: in this process, in several of this machine, or on a Ray cluster.

An engine takes work (how to build the tracker, which datasets) and tasks, and gives back a pass or a failure for each.
It writes no files: that is the runner's business, so results do not depend on the engine.
"""

from trackdata.evaluation.engines.cluster import RayEngine
from trackdata.evaluation.engines.local import InProcess, LocalEngine
from trackdata.evaluation.engines.work import Engine, Task, TrackerFactory, TrackerStartError, Work

__all__ = ["Engine", "InProcess", "LocalEngine", "RayEngine", "Task", "TrackerFactory", "TrackerStartError", "Work"]
