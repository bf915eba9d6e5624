"""Which datasets, sequences and frames make a training sample.

A *strategy* chooses frames of one sequence, an *acceptance rule* says which sequences qualify, and a *mixture* chooses
the dataset and the sequence first. Nothing here reads an image. All randomness comes from a generator that
:func:`sample_generator` derives from (seed, epoch, index), so a sample does not depend on the number of workers or
processes, nor on the samples drawn before it.

========================  ==================================================================================
published sampler         made of
========================  ==================================================================================
OSTrack, DropTrack        ``MixtureSampler`` with ``CausalSampler(200)`` (the defaults)
STARK and its relatives   ``MixtureSampler`` with ``TridentSampler``
Alpha-Refine              ``MixtureSampler`` with ``WindowSampler(50)`` and ``EnoughForMasks()``
SparseTT                  ``PairMixture`` over a ``MixtureSampler`` with ``LooseSampler(100)`` and ``AtLeast(1)``
DropSeg                   ``PassSampler`` over the videos, ``ForwardSampler(25)`` or ``(5)`` within each
========================  ==================================================================================
"""

from trackdata.faults import REASONS, FaultCounts, RejectedSample, SamplingError
from trackdata.sampling.acceptance import AtLeast, BoxFilter, EnoughForMasks, EnoughVisible, visibility
from trackdata.sampling.choices import FrameChoice, Strategy
from trackdata.sampling.forward import ForwardSampler, GrowingJump
from trackdata.sampling.generator import sample_generator
from trackdata.sampling.mixture import Draw, MixtureSampler
from trackdata.sampling.negatives import FrameDraw, PairDraw, PairMixture
from trackdata.sampling.onestream import CausalSampler, TridentSampler
from trackdata.sampling.passes import PassItem, PassSampler
from trackdata.sampling.rehearsal import DryRun, dry_run
from trackdata.sampling.retries import Sampler, draw_until_usable
from trackdata.sampling.windows import LooseSampler, WindowSampler

__all__ = [
    "REASONS",
    "AtLeast",
    "BoxFilter",
    "CausalSampler",
    "Draw",
    "DryRun",
    "EnoughForMasks",
    "EnoughVisible",
    "FaultCounts",
    "ForwardSampler",
    "FrameChoice",
    "FrameDraw",
    "GrowingJump",
    "LooseSampler",
    "MixtureSampler",
    "PairDraw",
    "PairMixture",
    "PassItem",
    "PassSampler",
    "RejectedSample",
    "Sampler",
    "SamplingError",
    "Strategy",
    "TridentSampler",
    "WindowSampler",
    "draw_until_usable",
    "dry_run",
    "sample_generator",
    "visibility",
]
