"""Building trackers from files of all kinds, and what is said about files that will not do."""

from __future__ import annotations

import json
import pickle
from dataclasses import replace

import numpy as np
import pytest
import torch

from sparse_track import load_network, load_tracker
from sparse_track.config import ModelConfig, TrackingConfig
from sparse_track.configurations import get_configuration
from sparse_track.loading import changed
from sparse_track.network import build
from sparse_track.recipes import get_recipe
from trackcore import checkpoints
from trackcore.recipes import ConfigurationError, to_yaml
from trackcore.tracker import create_tracker

DEBUG = get_recipe("debug").model
BOX = np.array([20.0, 20, 30, 20])


def scene(seed: int) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 256, (72, 96, 3)).astype(np.uint8)


def boxes(tracker, frames=3) -> np.ndarray:
    tracker.init(scene(0), BOX)
    return np.stack([tracker.update(scene(number)).box for number in range(1, frames + 1)])


@pytest.fixture
def published(weights, tmp_path):
    """The debug network as the published program writes it."""
    state = checkpoints.load(weights).state
    torch.save({"epoch": 19, "model_state_dict": state}, tmp_path / "epoch-19.pkl")
    return tmp_path / "epoch-19.pkl"


def test_own_weights_say_what_they_are(weights):
    tracker = load_tracker(weights, device="cpu")
    assert tracker.model == DEBUG
    assert tracker.tracking == get_recipe("debug").tracking


def test_published_weights_take_the_recipe_and_its_hyperparameters(weights, published):
    own = load_tracker(weights, device="cpu")
    other = load_tracker(published, "debug", device="cpu")
    assert other.tracking == own.tracking
    np.testing.assert_array_equal(boxes(other), boxes(own))


@pytest.mark.slow
def test_a_file_of_the_published_size_needs_no_recipe(tmp_path):
    torch.manual_seed(0)
    state = build(ModelConfig()).state_dict()
    torch.save({"epoch": 19, "model_state_dict": state}, tmp_path / "epoch-19.pkl")
    network, tracking = load_network(tmp_path / "epoch-19.pkl")
    assert network.config == ModelConfig()
    assert tracking == get_configuration("got10k")
    assert all(torch.equal(tensor, state[name]) for name, tensor in network.state_dict().items())


def test_registered_as_sparse(weights):
    tracker = create_tracker("sparse", weights=str(weights), device="cpu", configuration="uav123")
    assert tracker.tracking == get_configuration("uav123")


def test_changes_go_on_top_of_a_configuration(weights):
    tracker = load_tracker(weights, device="cpu", configuration="otb2015", changes={"penalty_k": 0.1})
    assert tracker.tracking == replace(get_configuration("otb2015"), penalty_k=0.1)
    with pytest.raises(ConfigurationError, match="penalty_k"):
        changed(TrackingConfig(), {"penalty": 0.1})


def test_another_search_size(weights):
    tracker = load_tracker(weights, device="cpu", search_size=191)
    assert tracker.model.search_cells == 12
    assert np.isfinite(boxes(tracker)).all()


@pytest.mark.parametrize("precision", ["bf16", "fp16"])
def test_half_precision_stays_near(weights, precision):
    usual, half = (
        load_tracker(weights, device="cpu", precision=which, diagnostics=True) for which in ("fp32", precision)
    )
    assert half.network.basemodel.net.norm2.weight.itemsize == 2
    found = []
    for tracker in (usual, half):
        tracker.init(scene(0), BOX)
        found.append(tracker.update(scene(1)).extras["found"])
    np.testing.assert_allclose(found[1][:, 0], found[0][:, 0], atol=0.05)
    np.testing.assert_allclose(found[1][:, 1:], found[0][:, 1:], rtol=0.05, atol=2)


def test_compiled(weights):
    eager, compiled = (load_tracker(weights, device="cpu", backend=backend) for backend in ("torch", "compile"))
    assert compiled.network.locate is not eager.network.locate
    compiled.network.locate = torch.compile(eager.network.locate, backend="eager")  # without waiting for a compiler
    np.testing.assert_allclose(boxes(compiled), boxes(eager), atol=1e-3)


@pytest.mark.parametrize(
    ("options", "error", "says"),
    [
        ({"weights": None}, ValueError, "give weights"),
        ({"precision": "int8"}, ValueError, "fp32, bf16, fp16"),
        ({"backend": "tensorrt"}, ValueError, "openvino"),
        ({"configuration": "vot"}, ValueError, "known: got10k"),
        ({"changes": {"test_lr": "fast"}}, ConfigurationError, "test_lr"),
        ({"recipe": "sparsett_swin_train_got10k"}, checkpoints.CheckpointMismatchError, "the network wants"),
        ({"device": "cuda:7"}, ValueError, "cuda:7"),
        ({"search_size": 10}, ValueError, "larger than 16"),
    ],
)
def test_mistakes(weights, options, error, says):
    with pytest.raises(error, match=says):
        load_tracker(**({"weights": weights, "device": "cpu"} | options))


class Evil:
    def __reduce__(self):
        return (print, ("ran",))


class TestWrongFiles:
    def test_without_a_word_about_the_network(self, published):
        with pytest.raises(ValueError, match="does not say which network it is for: name its recipe"):
            load_tracker(published)

    def test_of_another_tracker(self, tmp_path):
        """OSTrack's names."""
        torch.save({"epoch": 300, "net": {"backbone.pos_embed_z": torch.zeros(1, 64, 8)}}, tmp_path / "other.pth.tar")
        with pytest.raises(ValueError, match="does not say which network"):
            load_tracker(tmp_path / "other.pth.tar")
        with pytest.raises(checkpoints.CheckpointMismatchError, match="unknown to the network"):
            load_tracker(tmp_path / "other.pth.tar", "debug")

    def test_with_the_card_of_another_method(self, tmp_path):
        card = {"kind": "refiner", "model": "backbone: resnet34\nhead_channels: 8\n"}
        path = checkpoints.save_weights(tmp_path / "refiner.safetensors", {"x": torch.zeros(1)}, card)
        with pytest.raises(ConfigurationError, match="head_channels"):
            load_tracker(path)

    def test_with_a_card_that_does_not_fit(self, weights, tmp_path):
        state = checkpoints.load(weights).state
        wider = replace(DEBUG, head=replace(DEBUG.head, width=32))
        path = checkpoints.save_weights(tmp_path / "net.safetensors", state, {"model": to_yaml(wider)})
        with pytest.raises(
            checkpoints.CheckpointMismatchError, match=r"head\.fc_branch\.0\.weight is \[16, 32, 1, 1\]"
        ):
            load_tracker(path)

    def test_without_their_card(self, weights, tmp_path):
        path = tmp_path / "net.safetensors"
        path.write_bytes(weights.read_bytes())
        with pytest.raises(ValueError, match="name its recipe"):
            load_tracker(path)
        assert load_tracker(path, "debug", device="cpu").model == DEBUG

    @pytest.mark.parametrize("ending", [".safetensors", ".pkl"])
    def test_cut_short(self, weights, published, tmp_path, ending):
        source = weights if ending == ".safetensors" else published
        path = tmp_path / f"short{ending}"
        path.write_bytes(source.read_bytes()[:5000])
        with pytest.raises(checkpoints.CheckpointError, match="cannot be read"):
            load_tracker(path, "debug")

    def test_that_would_run_code(self, tmp_path, capsys):
        path = tmp_path / "evil.pkl"
        path.write_bytes(pickle.dumps({"model_state_dict": Evil()}))
        with pytest.raises(checkpoints.CheckpointError):
            load_tracker(path, "debug")
        assert "ran" not in capsys.readouterr().out

    def test_with_broken_numbers(self, weights, tmp_path):
        state = checkpoints.load(weights).state
        state["head.bi_conv"].fill_(float("nan"))
        card = json.loads(weights.with_suffix(".json").read_text())
        tracker = load_tracker(checkpoints.save_weights(tmp_path / "nan.safetensors", state, card), device="cpu")
        tracker.init(scene(0), BOX)
        with pytest.raises(RuntimeError, match="not finite"):
            tracker.update(scene(1))
