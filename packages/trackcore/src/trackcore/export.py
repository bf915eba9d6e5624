"""Networks for other runtimes: written as ONNX or OpenVINO files, run from them, and compared with PyTorch.

Needs ``pip install 'trackcore[export]'``. A :class:`Signature` says what goes in and comes out; :func:`write_program`
writes the file and refuses one that computes something else; :func:`open_program` runs it::

    signature = Signature(inputs={"images": images}, outputs=("boxes",), batched=("images",))
    parity = write_program(network, signature, "network.onnx")
    program = open_program("network.onnx")
    boxes = program(images=images)["boxes"]

:func:`quantise_program` writes one that computes in 8-bit integers.
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

Precision = Literal["f32", "bf16", "f16"]
SUFFIXES = {".onnx": "onnx", ".xml": "openvino"}


class ExportError(RuntimeError):
    """A network cannot be written or run in this format; the message says why, and what would work."""


@dataclass(frozen=True)
class Signature:
    """What a network takes and gives, in the order of its ``forward``.

    Attributes:
        inputs: example tensors by name; their shapes are those the file will take.
        outputs: names of what ``forward`` returns, a tensor or a tuple of them.
        batched: inputs whose first dimension may be of any size, the same for all of them.
    """

    inputs: Mapping[str, Tensor]
    outputs: tuple[str, ...]
    batched: tuple[str, ...] = ()


@dataclass(frozen=True)
class Parity:
    """How far a written program is from the network, on random inputs of the signature's shapes.

    Attributes:
        absolute: largest difference by output.
        scale: largest value of the network's own output, by output.
        usual: difference that nine of ten values stay below, by output.
    """

    absolute: Mapping[str, float]
    scale: Mapping[str, float]
    usual: Mapping[str, float]

    def __str__(self) -> str:
        return ", ".join(
            f"{name} {difference:.2g} (values up to {self.scale[name]:.3g}, nine of ten below {self.usual[name]:.1g})"
            for name, difference in self.absolute.items()
        )


class Program(Protocol):
    """A network in another runtime."""

    inputs: tuple[str, ...]
    outputs: tuple[str, ...]

    def __call__(self, **inputs: Tensor) -> dict[str, Tensor]:
        """Outputs by name, on the CPU."""


def write_program(
    network: nn.Module,
    signature: Signature,
    path: str | Path,
    *,
    tolerance: float = 1e-3,
    judge: Literal["largest", "usual"] = "largest",
) -> Parity:
    """Write a network and compare what the file computes with what the network does.

    Args:
        network: on the CPU, in eval mode, in float32.
        signature: its inputs and outputs.
        path: ends in ``.onnx``, or ``.xml`` for OpenVINO, whose weights then lie beside it in ``.bin``.
        tolerance: difference, relative to the largest value of an output, that is accepted.
        judge: which difference that is. ``usual`` suits networks that choose tokens by rank: where rounding turns the
            choice between two nearly equal ones, a few values differ more.

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
            _write_onnx(network, signature, written)
        else:
            _write_openvino(network, signature, written)
        parity = measure_parity(network, open_program(written), signature)
        differences = parity.absolute if judge == "largest" else parity.usual
        if not all(difference <= tolerance * max(1.0, parity.scale[name]) for name, difference in differences.items()):
            raise ExportError(f"{path.name} computes something else than the network: {parity}")
        for part in _parts(written):
            part.replace(path.with_suffix(part.suffix))
    finally:
        for part in _parts(written):
            part.unlink(missing_ok=True)
    return parity


def quantise_program(
    network: nn.Module, signature: Signature, path: str | Path, samples: Sequence[Mapping[str, Tensor]]
) -> Parity:
    """Write a network whose convolutions and products with weights are computed in 8-bit integers.

    Weights get a scale for each output channel, activations one for all, from the smallest and largest values that the
    samples give (ONNX Runtime's static quantisation). Products of two activations, as in attention, stay in float32.

    Args:
        network, signature, path: see :func:`write_program`.
        samples: what goes in, by name, such as it will be later; a few dozen are enough.

    Returns:
        Largest differences to the network over the samples. How much is too much depends on what the network is for,
        so nothing is refused.

    Raises:
        ExportError: the network cannot be written. An earlier file is then as it was.
        ImportError: the extra is not installed.
        ValueError: another suffix, or no samples.
    """
    from onnxruntime.quantization import CalibrationDataReader, QuantFormat, QuantType, quantize_static

    class Samples(CalibrationDataReader):
        def __init__(self) -> None:
            self._left = iter(samples)

        def get_next(self) -> dict[str, np.ndarray] | None:
            sample = next(self._left, None)
            return None if sample is None else {name: value.numpy() for name, value in sample.items()}

    path = Path(path)
    kind = _kind(path)
    if not samples:
        raise ValueError("a network cannot be written in 8 bits without samples of what goes into it")
    path.parent.mkdir(parents=True, exist_ok=True)
    written = path.with_name(f".{path.stem}.partial{path.suffix}")
    whole, small = (path.with_name(f".{path.stem}.{part}.onnx") for part in ("whole", "small"))
    try:
        _write_onnx(network, signature, whole)
        with _quiet():
            quantize_static(
                whole,
                small,
                Samples(),
                quant_format=QuantFormat.QDQ,
                op_types_to_quantize=["MatMul", "Gemm", "Conv"],
                nodes_to_exclude=_products_of_activations(whole),
                per_channel=True,
                weight_type=QuantType.QInt8,
                activation_type=QuantType.QUInt8,
            )
        if kind == "onnx":
            small.replace(written)
        else:
            _convert_to_openvino(small, written, type(network).__name__)
        parity = _differences(network, open_program(written), signature, samples)
        for part in _parts(written):
            part.replace(path.with_suffix(part.suffix))
    finally:
        for part in (*_parts(written), whole, small):
            part.unlink(missing_ok=True)
    return parity


def _products_of_activations(path: Path) -> list[str]:
    """Names of the matrix products in which no factor is a weight."""
    import onnx

    graph = onnx.load(path).graph
    weights = {tensor.name for tensor in graph.initializer}
    # A weight that is turned before the product is one as well.
    for node in graph.node:
        if node.op_type in ("Transpose", "Reshape", "Cast", "Identity") and node.input[0] in weights:
            weights.update(node.output)
    return [node.name for node in graph.node if node.op_type == "MatMul" and not weights.intersection(node.input)]


def measure_parity(network: nn.Module, program: Program, signature: Signature, seed: int = 0) -> Parity:
    """Compare a program with the network it was written from; batched inputs with another batch size as well."""
    generator = torch.Generator().manual_seed(seed)
    samples = [
        {
            name: _like(example, repeats if name in signature.batched else 1, generator)
            for name, example in signature.inputs.items()
        }
        for repeats in ((1, 3) if signature.batched else (1,))
    ]
    return _differences(network, program, signature, samples)


@torch.inference_mode()
def _differences(
    network: nn.Module, program: Program, signature: Signature, samples: Sequence[Mapping[str, Tensor]]
) -> Parity:
    absolute, scale, usual = (dict.fromkeys(signature.outputs, 0.0) for _ in range(3))
    for inputs in samples:
        expected = _named(network(*inputs.values()), signature.outputs)
        found = program(**inputs)
        for name, value in expected.items():
            difference = (value - found[name]).abs().nan_to_num(nan=math.inf)
            absolute[name] = max(absolute[name], difference.max().item())
            usual[name] = max(usual[name], float(np.quantile(difference.numpy(), 0.9)))
            scale[name] = max(scale[name], value.abs().max().item())
    return Parity(absolute, scale, usual)


def open_program(
    path: str | Path, *, precision: Precision = "f32", threads: int | None = None, device: str = "cpu"
) -> Program:
    """Open a file that :func:`write_program` wrote.

    Args:
        path: ``.onnx`` or ``.xml``.
        precision: of the arithmetic; ONNX files are computed as they are written, in float32.
        threads: on the CPU; None leaves it to the runtime.
        device: ``cpu``, or ``cuda`` for ONNX files where ONNX Runtime has it; OpenVINO's names for others.

    Raises:
        ExportError: the file cannot be read, or the runtime lacks device or precision.
        ImportError: the runtime is not installed.
        ValueError: another suffix.
    """
    path = Path(path)
    kind = _kind(path)
    if not path.is_file():
        raise ExportError(f"there is no program at {path}")
    if kind == "onnx":
        return _OnnxProgram(path, precision, threads, device)
    return _OpenVinoProgram(path, precision, threads, device)


def _kind(path: Path) -> str:
    if path.suffix not in SUFFIXES:
        raise ValueError(f"{path}: a program's suffix is one of {', '.join(SUFFIXES)}")
    return SUFFIXES[path.suffix]


def _parts(path: Path) -> list[Path]:
    """The files of a program that exist."""
    return [part for part in (path, path.with_suffix(".bin")) if part.exists()]


def _like(example: Tensor, repeats: int, generator: torch.Generator) -> Tensor:
    """The example, and ``repeats`` - 1 noisy copies of it; integers as they are."""
    copies = example.repeat(repeats, *[1] * (example.ndim - 1))
    if example.is_floating_point():
        copies = copies + 0.1 * torch.randn(copies.shape, generator=generator)
    return copies


def _named(outputs: Tensor | Sequence[Tensor], names: Sequence[str]) -> dict[str, Tensor]:
    outputs = (outputs,) if isinstance(outputs, Tensor) else outputs
    return dict(zip(names, outputs, strict=True))


def _dynamic(signature: Signature) -> tuple[dict[int, Any] | None, ...] | None:
    """Dimensions that may vary, for torch.export."""
    if not signature.batched:
        return None
    batch = torch.export.Dim("batch", min=1, max=1024)
    return tuple({0: batch} if name in signature.batched else None for name in signature.inputs)


def _examples(signature: Signature) -> tuple[Tensor, ...]:
    """Examples to trace with: batches of two, since torch takes a dimension of one for constant."""
    return tuple(
        example.expand(2, *example.shape[1:]).contiguous()
        if name in signature.batched and len(example) == 1
        else example
        for name, example in signature.inputs.items()
    )


def _write_onnx(network: nn.Module, signature: Signature, path: Path) -> None:
    with _quiet():
        try:
            program = torch.onnx.export(
                network,
                _examples(signature),
                input_names=list(signature.inputs),
                output_names=list(signature.outputs),
                dynamic_shapes=_dynamic(signature),
                dynamo=True,
                verbose=False,
            )
            program.save(path, external_data=False)
        except ImportError:
            raise
        except Exception as error:  # the exporter raises all kinds
            raise ExportError(f"{type(network).__name__} cannot be written as ONNX: {_first_line(error)}") from error


def _write_openvino(network: nn.Module, signature: Signature, path: Path) -> None:
    onnx = path.with_suffix(".onnx")
    try:
        _write_onnx(network, signature, onnx)
        _convert_to_openvino(onnx, path, type(network).__name__)
    finally:
        onnx.unlink(missing_ok=True)


def _convert_to_openvino(onnx: Path, path: Path, name: str) -> None:
    import openvino

    try:
        with _quiet():
            openvino.save_model(openvino.convert_model(onnx), path, compress_to_fp16=False)
    except RuntimeError as error:
        raise ExportError(f"{name} cannot be written for OpenVINO: {_first_line(error)}") from error


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


def _arrays(program: Program, inputs: Mapping[str, Tensor]) -> dict[str, np.ndarray]:
    if set(inputs) != set(program.inputs):
        raise ValueError(f"the program takes {', '.join(program.inputs)}, got {', '.join(inputs)}")
    return {name: np.ascontiguousarray(value.detach().cpu().numpy()) for name, value in inputs.items()}


class _OnnxProgram:
    """A file in ONNX Runtime."""

    def __init__(self, path: Path, precision: Precision, threads: int | None, device: str) -> None:
        import onnxruntime

        if precision != "f32":
            raise ExportError(
                f"{path}: ONNX files are computed in f32, not {precision}; write an OpenVINO file for that"
            )
        providers = {"cpu": "CPUExecutionProvider", "cuda": "CUDAExecutionProvider"}
        provider = providers.get(device.split(":")[0])
        if provider not in onnxruntime.get_available_providers():
            raise ExportError(
                f"{path}: this ONNX Runtime cannot use {device!r}; install onnxruntime-gpu, or take 'cpu'"
            )
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

    def __call__(self, **inputs: Tensor) -> dict[str, Tensor]:
        """Outputs by name. Raises ValueError when the inputs are others than the program's."""
        found = self._session.run(list(self.outputs), _arrays(self, inputs))
        return {name: torch.from_numpy(value) for name, value in zip(self.outputs, found, strict=True)}


class _OpenVinoProgram:
    """A file in OpenVINO, whose CPU would otherwise choose bfloat16 where it has it."""

    def __init__(self, path: Path, precision: Precision, threads: int | None, device: str) -> None:
        import openvino

        properties: dict[str, Any] = {"INFERENCE_PRECISION_HINT": precision, "PERFORMANCE_HINT": "LATENCY"}
        if threads is not None:
            properties["INFERENCE_NUM_THREADS"] = threads
        try:
            core = openvino.Core()
            self._program = core.compile_model(core.read_model(path), device.upper(), properties)
        except RuntimeError as error:
            raise ExportError(f"{path} cannot be opened by OpenVINO on {device}: {_first_line(error)}") from error
        self.inputs = tuple(port.get_any_name() for port in self._program.inputs)
        self.outputs = tuple(port.get_any_name() for port in self._program.outputs)

    def __call__(self, **inputs: Tensor) -> dict[str, Tensor]:
        """Outputs by name. Raises ValueError when the inputs are others than the program's."""
        found = self._program(_arrays(self, inputs))
        return {name: torch.from_numpy(found[name].copy()) for name in self.outputs}
