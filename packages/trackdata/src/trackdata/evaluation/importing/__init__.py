"""Results of other programs, taken over into the own layout: pytracking, OSTrack, the GOT-10k toolkit, pysot, VOT."""

from trackdata.evaluation.importing.found import LAYOUTS, FoundRun, Left, Scan, scan
from trackdata.evaluation.importing.importer import ImportReport, Taken, import_results

__all__ = ["LAYOUTS", "FoundRun", "ImportReport", "Left", "Scan", "Taken", "import_results", "scan"]
