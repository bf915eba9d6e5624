"""Packing datasets into LMDB or zip: one file in the place of a million, with the same bytes under the same names.

``plan`` says which files go where, the way published LMDB are laid out; ``pack`` writes, reads back and compares.
"""

from trackdata.packing.manifests import Manifest, read_manifest
from trackdata.packing.packer import check_pack, pack
from trackdata.packing.plans import Container, Plan, plan
from trackdata.packing.reports import Packed, PackError, PackProgress, PackReport

__all__ = [
    "Container",
    "Manifest",
    "PackError",
    "PackProgress",
    "PackReport",
    "Packed",
    "Plan",
    "check_pack",
    "pack",
    "plan",
    "read_manifest",
]
