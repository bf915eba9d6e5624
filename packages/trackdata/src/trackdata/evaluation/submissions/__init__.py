"""Archives for the evaluation servers, checked before they are written.

The results a pack is made from are never touched; an archive appears complete or not at all, and replaces only an older
one. Everything that is wrong is said at once.
"""

from trackdata.evaluation.submissions.archives import SubmissionError, pack_folder
from trackdata.evaluation.submissions.boxes import (
    FULL,
    OSTRACK,
    PYTRACKING_GOT10K,
    PYTRACKING_TRACKINGNET,
    TOOLKIT_STYLE,
    Style,
    pack_boxes,
    pack_got10k,
    pack_trackingnet,
)
from trackdata.evaluation.submissions.masks import pack_davis, pack_youtubevos
from trackdata.evaluation.submissions.servers import SERVERS, Packed, Server, submit

__all__ = [
    "FULL",
    "OSTRACK",
    "PYTRACKING_GOT10K",
    "PYTRACKING_TRACKINGNET",
    "SERVERS",
    "TOOLKIT_STYLE",
    "Packed",
    "Server",
    "Style",
    "SubmissionError",
    "pack_boxes",
    "pack_davis",
    "pack_folder",
    "pack_got10k",
    "pack_trackingnet",
    "pack_youtubevos",
    "submit",
]
