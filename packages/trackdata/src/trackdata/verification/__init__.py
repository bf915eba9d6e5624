"""What of a dataset is on disk, and what is wrong with it.

``verify`` looks at every sequence of a dataset, or every video or image, and gives a report that can be printed, saved
and loaded.
"""

from trackdata.verification.findings import KINDS, Finding, Kind, VerificationReport, findings_table
from trackdata.verification.verifying import Decode, VerifyProgress, open_to_verify, verify, verify_at

__all__ = [
    "KINDS",
    "Decode",
    "Finding",
    "Kind",
    "VerificationReport",
    "VerifyProgress",
    "findings_table",
    "open_to_verify",
    "verify",
    "verify_at",
]
