"""CUDA graphs: a whole computation launched at once, for networks whose kernels are shorter than their launches."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Generic, TypeVar

import torch
from torch import Tensor

Result = TypeVar("Result")

_WARMUP = 3  # calls before the capture, in which libraries choose their kernels and take their workspaces


class Graphed(Generic[Result]):
    """A function of tensors on a CUDA device, captured as a CUDA graph at the first call with tensors of a shape.

    A call copies its tensors to where the graph reads them, replays the graph and returns what the capture returned:
    the same tensors each time, valid until the next call with the same shapes. Nothing in the function may depend on
    values of tensors on the host (no ``item()``, no transfers), and no gradients are taken.

    Args:
        function: called with the tensors, or None in place of some; returns anything that holds tensors.

    Raises:
        ValueError: in a call, a tensor is not on a CUDA device.
    """

    def __init__(self, function: Callable[..., Result]):
        self.function = function
        self._captured: dict[tuple[Any, ...], tuple[list[Tensor | None], torch.cuda.CUDAGraph, Result]] = {}

    @torch.inference_mode()
    def __call__(self, *tensors: Tensor | None) -> Result:
        """The function's result for these tensors."""
        for tensor in tensors:
            if tensor is not None and not tensor.is_cuda:
                raise ValueError(f"a CUDA graph takes tensors on a CUDA device, got one on {tensor.device}")
        key = tuple(None if t is None else (t.shape, t.dtype, t.device) for t in tensors)
        if key not in self._captured:
            self._captured[key] = self._capture(tensors)
        places, graph, result = self._captured[key]
        for place, tensor in zip(places, tensors, strict=True):
            if place is not None and tensor is not None:
                place.copy_(tensor)
        graph.replay()
        return result

    def _capture(self, tensors: tuple[Tensor | None, ...]) -> tuple[list[Tensor | None], torch.cuda.CUDAGraph, Result]:
        places = [None if tensor is None else tensor.clone() for tensor in tensors]
        device = next(place.device for place in places if place is not None)
        with torch.cuda.device(device):  # the streams and the graph are those of the current device
            stream = torch.cuda.Stream()
            stream.wait_stream(torch.cuda.current_stream())
            with torch.cuda.stream(stream):  # the warm-up must not run on the default stream
                for _ in range(_WARMUP):
                    self.function(*places)
            torch.cuda.current_stream().wait_stream(stream)
            graph = torch.cuda.CUDAGraph()
            with torch.cuda.graph(graph):
                result = self.function(*places)
        return places, graph, result
