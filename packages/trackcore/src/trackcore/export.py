"""Networks for other runtimes: written as ONNX or OpenVINO files, run from them, and compared with PyTorch.

Needs ``pip install 'trackcore[export]'``. :func:`export` writes a file and refuses one that computes something else;
:func:`open_session` runs it::

    parity = export(network, {"images": images}, ["boxes"], "network.onnx")
    session = open_session("network.onnx")
    boxes = session(images=images.numpy())["boxes"]
"""

from __future__ import annotations

import contextlib
import io
import logging
import math
import warnings
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, Protocol

import numpy as np
import torch
from torch import Tensor, nn

Precision = Literal["fp32", "bf16", "fp16"]
SUFFIXES = {".onnx": "onnx", ".xml": "openvino"}
_OPENVINO_PRECISIONS = {"fp32": "f32", "bf16": "bf16", "fp16": "f16"}


class ExportError(RuntimeError):
    """A network cannot be written or run in this format; the message says why, and what would work."""


@dataclass(frozen=True)
class Parity:
    """How far a file is from the network it was written from, on noisy copies of the example inputs.

    Attributes:
        absolute: largest difference by output.
        scale: largest value of the network's own output, by output.
    """

    absolute: Mapping[str, float]
    scale: Mapping[str, float]

    def __str__(self) -> str:
        return ", ".join(
            f"{name} {difference:.2g} (values up to {self.scale[name]:.3g})"
            for name, difference in self.absolute.items()
        )


class Session(Protocol):
    """A network in another runtime.

    Attributes:
        inputs, outputs: their names.
    """

    inputs: tuple[str, ...]
    outputs: tuple[str, ...]

    def __call__(self, **inputs: np.ndarray) -> dict[str, np.ndarray]:
        """Outputs by name. Raises ValueError when the inputs are others than the network's."""


def export(
    network: nn.Module,
    inputs: Mapping[str, Tensor],
    outputs: Sequence[str],
    path: str | Path,
    *,
    tolerance: float = 1e-3,
) -> Parity:
    """Write a network and compare what the file computes with what the network does.

    The first dimension of all inputs is the batch, which may have any size later.

    Args:
        network: on the CPU, in eval mode, in float32.
        inputs: example tensors by name, in the order of ``forward``.
        outputs: names of what ``forward`` returns, a tensor or a tuple of them.
        path: ends in ``.onnx``, or ``.xml`` for OpenVINO, whose weights then lie beside it in ``.bin``.
        tolerance: largest difference, relative to the largest value of an output, that is accepted.

    Raises:
        ExportError: the network holds something the format cannot express, or the file computes something else. An
            earlier file is then as it was.
        ImportError: the extra is not installed.
        ValueError: another suffix.
    """
    path = Path(path)
    kind = _kind(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    written = path.with_name(f".{path.stem}.partial{path.suffix}")
    try:
        if kind == "onnx":
            _write_onnx(network, inputs, outputs, written)
        else:
            _write_openvino(network, inputs, outputs, written)
        parity = measure_parity(network, open_session(written), inputs, outputs)
        if not all(parity.absolute[name] <= tolerance * max(1.0, parity.scale[name]) for name in outputs):
            raise ExportError(f"{path.name} computes something else than the network: {parity}")
        for part in _parts(written):
            part.replace(path.with_suffix(part.suffix))
    finally:
        for part in _parts(written):
            part.unlink(missing_ok=True)
    return parity


@torch.inference_mode()
def measure_parity(
    network: nn.Module, session: Session, inputs: Mapping[str, Tensor], outputs: Sequence[str], seed: int = 0
) -> Parity:
    """Compare a session with the network it was written from, for a batch of one and one of three."""
    absolute, scale = dict.fromkeys(outputs, 0.0), dict.fromkeys(outputs, 0.0)
    generator = torch.Generator().manual_seed(seed)
    for batch in (1, 3):
        noisy = {name: _like(example, batch, generator) for name, example in inputs.items()}
        expected = network(*noisy.values())
        expected = (expected,) if isinstance(expected, Tensor) else expected
        found = session(**{name: value.numpy() for name, value in noisy.items()})
        for name, value in zip(outputs, expected, strict=True):
            difference = (value - torch.from_numpy(found[name])).abs().max().item()
            absolute[name] = max(absolute[name], difference if math.isfinite(difference) else math.inf)
            scale[name] = max(scale[name], value.abs().max().item())
    return Parity(absolute, scale)


def open_session(
    path: str | Path, *, precision: Precision = "fp32", threads: int | None = None, device: str = "cpu"
) -> Session:
    """Open a file that :func:`export` wrote.

    Args:
        path: ``.onnx`` or ``.xml``.
        precision: of the arithmetic; ONNX files are computed as they are written, in float32.
        threads: on the CPU; None leaves it to the runtime.
        device: ``cpu``, or ``cuda`` for ONNX files where ONNX Runtime has it; OpenVINO's names for others.

    Raises:
        FileNotFoundError: there is no such file.
        ExportError: the file cannot be read, or the runtime lacks the device.
        ImportError: the runtime is not installed.
        ValueError: another suffix, or a precision that the runtime does not have.
    """
    path = Path(path)
    kind = _kind(path)
    if not path.is_file():
        raise FileNotFoundError(f"there is no exported network at {path}")
    if precision not in _OPENVINO_PRECISIONS or (kind == "onnx" and precision != "fp32"):
        known = "fp32; write an OpenVINO file for others" if kind == "onnx" else ", ".join(_OPENVINO_PRECISIONS)
        raise ValueError(f"{path}: precision {precision!r} is not one of {known}")
    session = _OnnxSession if kind == "onnx" else _OpenVinoSession
    return session(path, precision, threads, device)


def _kind(path: Path) -> str:
    if path.suffix not in SUFFIXES:
        raise ValueError(f"{path}: the suffix of an exported network is one of {', '.join(SUFFIXES)}")
    return SUFFIXES[path.suffix]


def _parts(path: Path) -> list[Path]:
    """The files of an exported network that exist."""
    return [part for part in (path, path.with_suffix(".bin")) if part.exists()]


def _like(example: Tensor, batch: int, generator: torch.Generator) -> Tensor:
    """``batch`` noisy copies of an example's first element."""
    copies = example[:1].expand(batch, *example.shape[1:]).contiguous()
    return copies + 0.1 * torch.randn(copies.shape, generator=generator) if copies.is_floating_point() else copies


def _write_onnx(network: nn.Module, inputs: Mapping[str, Tensor], outputs: Sequence[str], path: Path) -> None:
    # torch takes a dimension of one for constant, so that it is traced with a batch of two
    examples = tuple(value[:1].expand(2, *value.shape[1:]).contiguous() for value in inputs.values())
    batch = torch.export.Dim("batch", min=1, max=1024)
    with _quiet():
        try:
            program = torch.onnx.export(
                network,
                examples,
                input_names=list(inputs),
                output_names=list(outputs),
                dynamic_shapes=tuple({0: batch} for _ in inputs),
                dynamo=True,
                verbose=False,
            )
            program.save(path, external_data=False)
        except ImportError:
            raise
        except Exception as error:  # the exporter raises all kinds
            raise ExportError(f"{type(network).__name__} cannot be written as ONNX: {_first_line(error)}") from error


def _write_openvino(network: nn.Module, inputs: Mapping[str, Tensor], outputs: Sequence[str], path: Path) -> None:
    import openvino

    onnx = path.with_suffix(".onnx")
    try:
        _write_onnx(network, inputs, outputs, onnx)
        with _quiet():
            openvino.save_model(openvino.convert_model(onnx), path, compress_to_fp16=False)
    except RuntimeError as error:
        if isinstance(error, ExportError):
            raise
        raise ExportError(f"{type(network).__name__} cannot be written for OpenVINO: {_first_line(error)}") from error
    finally:
        onnx.unlink(missing_ok=True)


def _first_line(error: BaseException) -> str:
    return next((line.strip() for line in str(error).splitlines() if line.strip()), type(error).__name__)


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """Exporters talk a lot about what they do."""
    logger = logging.getLogger("torch.onnx")
    level = logger.level
    logger.setLevel(logging.ERROR)
    try:
        with warnings.catch_warnings(), contextlib.redirect_stdout(io.StringIO()):
            warnings.simplefilter("ignore")
            yield
    finally:
        logger.setLevel(level)


def _checked(session: Session, inputs: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
    if set(inputs) != set(session.inputs):
        raise ValueError(f"the network takes {', '.join(session.inputs)}, got {', '.join(inputs)}")
    return {name: np.ascontiguousarray(value) for name, value in inputs.items()}


class _OnnxSession:
    """A file in ONNX Runtime."""

    def __init__(self, path: Path, precision: Precision, threads: int | None, device: str) -> None:
        import onnxruntime

        providers = {"cpu": "CPUExecutionProvider", "cuda": "CUDAExecutionProvider"}
        provider = providers.get(device.split(":")[0])
        if provider not in onnxruntime.get_available_providers():
            raise ExportError(f"{path}: this ONNX Runtime cannot use {device!r}; install onnxruntime-gpu or take 'cpu'")
        options = onnxruntime.SessionOptions()
        options.log_severity_level = 3
        if threads is not None:
            options.intra_op_num_threads = threads
        try:
            self._session = onnxruntime.InferenceSession(path, options, providers=[provider])
        except Exception as error:  # ONNX Runtime's exceptions have no common class of their own
            raise ExportError(f"{path} cannot be read by ONNX Runtime: {_first_line(error)}") from error
        self.inputs = tuple(entry.name for entry in self._session.get_inputs())
        self.outputs = tuple(entry.name for entry in self._session.get_outputs())

    def __call__(self, **inputs: np.ndarray) -> dict[str, np.ndarray]:
        found = self._session.run(list(self.outputs), _checked(self, inputs))
        return dict(zip(self.outputs, found, strict=True))


class _OpenVinoSession:
    """A file in OpenVINO, whose CPU would otherwise choose bfloat16 where it has it."""

    def __init__(self, path: Path, precision: Precision, threads: int | None, device: str) -> None:
        import openvino

        properties: dict[str, Any] = {
            "INFERENCE_PRECISION_HINT": _OPENVINO_PRECISIONS[precision],
            "PERFORMANCE_HINT": "LATENCY",
        }
        if threads is not None:
            properties["INFERENCE_NUM_THREADS"] = threads
        try:
            core = openvino.Core()
            self._network = core.compile_model(core.read_model(path), device.upper(), properties)
        except RuntimeError as error:
            raise ExportError(f"{path} cannot be opened by OpenVINO on {device}: {_first_line(error)}") from error
        self.inputs = tuple(port.get_any_name() for port in self._network.inputs)
        self.outputs = tuple(port.get_any_name() for port in self._network.outputs)

    def __call__(self, **inputs: np.ndarray) -> dict[str, np.ndarray]:
        found = self._network(_checked(self, inputs))
        return {name: found[name].copy() for name in self.outputs}
