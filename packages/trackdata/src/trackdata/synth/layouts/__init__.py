"""The official layouts of datasets in which generated video can be written, by the names of the datasets."""

from __future__ import annotations

import difflib

from trackdata.synth.layouts.coco import COCO
from trackdata.synth.layouts.folders import DTB70, ITB, TC128, TNL2K
from trackdata.synth.layouts.got10k import GOT10K
from trackdata.synth.layouts.imagenet import IMAGENET_DET, IMAGENET_VID
from trackdata.synth.layouts.lasot import LASOT, LASOT_EXT
from trackdata.synth.layouts.layout import Item, Layout, Order
from trackdata.synth.layouts.listed import NFS, OTB2015, UAV20L, UAV123
from trackdata.synth.layouts.plain import KINETICS, SALIENCY, STATIC_IMAGES
from trackdata.synth.layouts.trackingnet import TRACKINGNET
from trackdata.synth.layouts.vos import DAVIS2016, DAVIS2017, YOUTUBEVOS
from trackdata.synth.layouts.vot import VOT

__all__ = ["LAYOUTS", "Item", "Layout", "Order", "layout"]

LAYOUTS: dict[str, Layout] = {
    known.name: known
    for known in (
        GOT10K,
        LASOT,
        LASOT_EXT,
        TRACKINGNET,
        COCO,
        IMAGENET_VID,
        IMAGENET_DET,
        OTB2015,
        UAV123,
        UAV20L,
        NFS,
        TNL2K,
        TC128,
        ITB,
        DTB70,
        DAVIS2016,
        DAVIS2017,
        YOUTUBEVOS,
        *VOT,
        KINETICS,
        SALIENCY,
        STATIC_IMAGES,
    )
}


def layout(name: str) -> Layout:
    """The layout ``name``.

    Raises:
        ValueError: there is no such layout; the message names the nearest one and all there are.
    """
    if name not in LAYOUTS:
        close = difflib.get_close_matches(name, LAYOUTS, n=1)
        hint = f", did you mean {close[0]!r}?" if close else ""
        raise ValueError(f"no layout {name!r}{hint}; there are {', '.join(LAYOUTS)}")
    return LAYOUTS[name]
