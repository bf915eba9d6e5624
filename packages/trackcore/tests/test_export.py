"""Programs for other runtimes: they compute what the network does, for any batch, and say why not otherwise."""

from __future__ import annotations

from collections import Counter

import pytest
import torch
from torch import nn

pytest.importorskip("onnxscript")
pytest.importorskip("onnxruntime")
pytest.importorskip("openvino")

from trackcore.export import ExportError, Signature, measure_parity, open_program, quantise_program, write_program


class Small(nn.Module):
    def __init__(self):
        super().__init__()
        torch.manual_seed(0)
        self.conv = nn.Conv2d(3, 4, 3, padding=1)

    def forward(self, images, kernels):
        features = self.conv(images)
        return kernels.flatten(2).mT @ features.flatten(2), features.mean(dim=(2, 3))


SIGNATURE = Signature(
    inputs={"images": torch.randn(1, 3, 8, 8), "kernels": torch.randn(1, 4, 2, 2)},
    outputs=("products", "means"),
    batched=("images", "kernels"),
)


@pytest.fixture(scope="module", params=[".onnx", ".xml"])
def written(request, tmp_path_factory):
    path = tmp_path_factory.mktemp("programs") / f"small{request.param}"
    network = Small().eval()
    return network, path, write_program(network, SIGNATURE, path)


def test_it_computes_what_the_network_does(written):
    network, path, parity = written
    assert max(parity.absolute.values()) < 1e-4
    assert "products" in str(parity)
    program = open_program(path, threads=1)
    assert program.inputs == ("images", "kernels")
    assert program.outputs == ("products", "means")
    for batch in (1, 5):
        inputs = {"images": torch.randn(batch, 3, 8, 8), "kernels": torch.randn(batch, 4, 2, 2)}
        with torch.inference_mode():
            expected = network(**inputs)
        for name, value in zip(SIGNATURE.outputs, expected, strict=True):
            torch.testing.assert_close(program(**inputs)[name], value, rtol=1e-4, atol=1e-5)


def test_nothing_else_is_left(written):
    _, path, _ = written
    kept = {path.name} if path.suffix == ".onnx" else {path.name, path.with_suffix(".bin").name}
    assert {file.name for file in path.parent.iterdir()} == kept


def test_other_inputs(written):
    with pytest.raises(ValueError, match="takes images, kernels, got pictures"):
        open_program(written[1])(pictures=torch.zeros(1))


def test_a_program_that_computes_something_else_is_refused(tmp_path):
    class Trained(Small):
        def forward(self, images, kernels):
            products, means = super().forward(images, kernels)
            return products, means + (10 if torch.onnx.is_in_onnx_export() else 0)

    path = tmp_path / "other.onnx"
    path.write_bytes(b"earlier")
    with pytest.raises(ExportError, match="computes something else"):
        write_program(Trained().eval(), SIGNATURE, path)
    assert path.read_bytes() == b"earlier"
    assert len(list(tmp_path.iterdir())) == 1


def test_parity_sees_differences(written):
    _, path, _ = written
    changed = Small().eval()
    with torch.no_grad():
        changed.conv.bias += 0.5
    assert measure_parity(changed, open_program(path), SIGNATURE).absolute["means"] > 0.4


def test_networks_that_cannot_be_written(tmp_path):
    class Branching(nn.Module):
        def forward(self, images):
            return images if images.sum() > 0 else -images

    signature = Signature({"images": torch.ones(1, 3)}, ("same",))
    with pytest.raises(ExportError, match="Branching cannot be written as ONNX"):
        write_program(Branching().eval(), signature, tmp_path / "branching.onnx")


@pytest.mark.parametrize("suffix", [".onnx", ".xml"])
def test_files_that_are_no_programs(tmp_path, suffix):
    with pytest.raises(ExportError, match="no program at"):
        open_program(tmp_path / f"missing{suffix}")
    damaged = tmp_path / f"damaged{suffix}"
    damaged.write_bytes(b"nothing")
    with pytest.raises(ExportError, match="damaged"):
        open_program(damaged)


def test_other_formats(tmp_path):
    with pytest.raises(ValueError, match=r"\.onnx, \.xml"):
        write_program(Small().eval(), SIGNATURE, tmp_path / "small.pt")


def test_what_onnx_runtime_cannot_do(written):
    _, path, _ = written
    if path.suffix == ".onnx":
        with pytest.raises(ExportError, match="computed in f32"):
            open_program(path, precision="bf16")
        with pytest.raises(ExportError, match="onnxruntime-gpu"):
            open_program(path, device="cuda" if not torch.cuda.is_available() else "npu")
    else:
        with pytest.raises(ExportError, match="on npu"):
            open_program(path, device="npu")


class Attentive(nn.Module):
    """A convolution, a layer and a product of two activations."""

    def __init__(self):
        super().__init__()
        torch.manual_seed(0)
        self.conv, self.linear = nn.Conv2d(3, 16, 3), nn.Linear(16, 16)

    def forward(self, images):
        tokens = self.conv(images).flatten(2).mT
        return (tokens @ tokens.mT).softmax(2) @ self.linear(tokens)


@pytest.mark.parametrize("suffix", [".onnx", ".xml"])
def test_eight_bits(tmp_path, suffix):
    network = Attentive().eval()
    images = torch.randn(3, 3, 12, 12)
    signature = Signature({"images": images[:1]}, ("tokens",), batched=("images",))
    path = tmp_path / f"small{suffix}"
    parity = quantise_program(network, signature, path, [{"images": image[None]} for image in images])
    assert 0 < parity.absolute["tokens"] < 0.05 * parity.scale["tokens"]
    with torch.inference_mode():
        torch.testing.assert_close(open_program(path)(images=images)["tokens"], network(images), atol=0.05, rtol=0.05)
    assert {file.suffix for file in tmp_path.iterdir()} <= {suffix, ".bin"}
    if suffix == ".onnx":
        onnx = pytest.importorskip("onnx")
        kinds = Counter(node.op_type for node in onnx.load(path).graph.node)
        assert kinds["MatMul"] + kinds["Gemm"] == 3
        # weights of two layers, what goes into them and comes out; the products in between stay as they are
        assert kinds["DequantizeLinear"] - kinds["QuantizeLinear"] >= 2
        assert kinds["QuantizeLinear"] < 6


def test_eight_bits_need_samples(tmp_path):
    with pytest.raises(ValueError, match="without samples"):
        quantise_program(Small().eval(), SIGNATURE, tmp_path / "small.onnx", [])
