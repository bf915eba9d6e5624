"""Carrying masks on with features: against a slow reference, and on videos whose features are known."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from dropmae_pretrain.config import ModelConfig
from dropmae_pretrain.features import fit_to_patches, frame_features
from dropmae_pretrain.network import DropMAE
from dropmae_pretrain.propagation import PropagationConfig, cell_shares, propagate, propagate_labels
from trackdata.videos import SegmentedVideo

SMALL = ModelConfig(32, 8, width=32, depth=2, heads=2, decoder_width=24, decoder_depth=1, decoder_heads=3)


def slow_labels(features, context, labels, config):
    """One cell after the other."""
    height, width, _ = features.shape
    out = np.zeros((height, width, labels.shape[-1]))
    for y in range(height):
        for x in range(width):
            found = []
            for m in range(len(context)):
                for v in range(height):
                    for u in range(width):
                        if config.radius and max(abs(v - y), abs(u - x)) > config.radius:
                            continue
                        a, b = features[y, x], context[m, v, u]
                        found.append((float(a @ b / np.linalg.norm(a) / np.linalg.norm(b)), labels[m, v, u]))
            best = sorted(found, key=lambda pair: -pair[0])[: config.top_k]
            weights = np.exp(np.array([similarity for similarity, _ in best]) / config.temperature)
            out[y, x] = sum(w * label for w, (_, label) in zip(weights / weights.sum(), best, strict=True))
    return out


@pytest.mark.parametrize(
    "config", [PropagationConfig(radius=2, top_k=4), PropagationConfig(radius=0), PropagationConfig(1, 1, 50, 0.5)]
)
def test_labels_are_those_of_the_slow_reference(config):
    rng = np.random.default_rng(0)
    features, context = rng.normal(size=(5, 6, 8)), rng.normal(size=(2, 5, 6, 8))
    labels = rng.dirichlet(np.ones(3), (2, 5, 6))
    found = propagate_labels(*(torch.from_numpy(array) for array in (features, context, labels)), config)
    np.testing.assert_allclose(found.numpy(), slow_labels(features, context, labels, config), atol=1e-9)
    np.testing.assert_allclose(found.sum(-1).numpy(), 1, atol=1e-9)


def test_shares_of_cells():
    labels = np.zeros((4, 8), np.uint8)
    labels[:2, :3] = 5
    labels[2:, 4:] = 9  # not among the numbers
    shares = cell_shares(labels, torch.tensor([0, 2, 5]), (2, 2)).numpy()
    np.testing.assert_allclose(shares[0, 0], [0.25, 0, 0.75])
    np.testing.assert_allclose(shares[1, 1], [1, 0, 0])


class Colours:
    """Frames in which squares of pure colours move over a ramp; a cell's feature is its mean colour."""

    CELL, ROWS, COLUMNS = 8, 8, 10

    def __init__(self, frames: int, starts: dict[int, tuple[int, int, int]]) -> None:
        """``starts``: object to (first frame, row, column) in cells; each moves a cell to the right per frame."""
        self.count, self.starts = frames, starts

    def __len__(self) -> int:
        return self.count

    def labels(self, index: int) -> np.ndarray:
        out = np.zeros((self.ROWS, self.COLUMNS), np.uint8)
        for name, (first, row, column) in self.starts.items():
            if index >= first:
                out[row : row + 2, column + index - first : column + index - first + 2] = name
        return out.repeat(self.CELL, 0).repeat(self.CELL, 1)

    def __getitem__(self, index: int) -> np.ndarray:
        colours = np.zeros((256, 3), np.uint8)
        colours[[0, 3, 7]] = (90, 90, 90), (250, 20, 20), (20, 20, 250)
        return colours[self.labels(index)]

    def video(self) -> SegmentedVideo:
        firsts = {name: start[0] for name, start in self.starts.items()}
        return SegmentedVideo(
            name="colours",
            frames=self,
            frame_names=tuple(f"{index:05d}" for index in range(self.count)),
            objects=tuple(self.starts),
            labels=lambda index: self.labels(index) if index in firsts.values() else None,
            annotated=np.isin(np.arange(self.count), list(firsts.values())),
            first_frames=firsts,
            classes=dict.fromkeys(self.starts),
            size=(self.ROWS * self.CELL, self.COLUMNS * self.CELL),
            wanted=np.ones(self.count, bool),
        )

    def centres(self, labels: np.ndarray) -> np.ndarray:
        """Labels at the middle of each cell: between cells, interpolation cuts corners."""
        return labels[self.CELL // 2 :: self.CELL, self.CELL // 2 :: self.CELL]

    def encode(self, image: np.ndarray) -> torch.Tensor:
        cells = image.reshape(self.ROWS, self.CELL, self.COLUMNS, self.CELL, 3).mean((1, 3))
        return torch.from_numpy(cells - 91.0).float()


def test_objects_are_followed_from_the_frames_they_are_given_in():
    colours = Colours(6, {3: (0, 1, 1), 7: (2, 5, 3)})
    found = list(propagate(colours.video(), colours.encode, PropagationConfig(context=2, radius=3)))
    assert [labels.dtype for labels in found] == [np.uint16] * 6
    for index, labels in enumerate(found):
        truth = colours.labels(index)
        np.testing.assert_array_equal(colours.centres(labels), colours.centres(truth), err_msg=f"frame {index}")
        assert (labels == truth).mean() > 0.98


def test_without_context_only_given_frames_count():
    colours = Colours(5, {3: (1, 1, 1)})
    alone = list(propagate(colours.video(), colours.encode, PropagationConfig(context=0, radius=2)))
    assert (alone[0] == 0).all()
    np.testing.assert_array_equal(colours.centres(alone[2]), colours.centres(colours.labels(2)))
    # three cells away from where it was given nothing of it is within reach
    assert (alone[4] == 3).sum() < 0.6 * (colours.labels(4) == 3).sum()
    carried = list(propagate(colours.video(), colours.encode, PropagationConfig(context=1, radius=2)))
    np.testing.assert_array_equal(colours.centres(carried[4]), colours.centres(colours.labels(4)))


def test_features_of_a_frame_are_the_encoders_of_a_first_frame():
    torch.manual_seed(0)
    network = DropMAE(SMALL).eval()
    image = np.random.default_rng(0).integers(0, 256, (32, 32, 3), np.uint8)
    with torch.no_grad():
        found = frame_features(network, image)
        mean, std = (torch.tensor(v).view(3, 1, 1) for v in ((0.485, 0.456, 0.406), (0.229, 0.224, 0.225)))
        pixels = (torch.from_numpy(image).permute(2, 0, 1) / 255 - mean) / std
        expected = network.encode(network.embed(pixels[None], pixels[None])[:, :16])[0]
    assert found.shape == (4, 4, 32)
    np.testing.assert_allclose(found.flatten(0, 1).numpy(), expected.numpy(), atol=1e-5)


def test_frames_of_other_shapes():
    network = DropMAE(SMALL).eval()
    with torch.no_grad():
        assert frame_features(network, np.zeros((24, 56, 3), np.uint8)).shape == (3, 7, 32)
    with pytest.raises(ValueError, match="multiples of 8 pixels, got 20 x 56"):
        frame_features(network, np.zeros((20, 56, 3), np.uint8))


@pytest.mark.parametrize(
    ("size", "side", "expected"),
    [((480, 854), 480, (480, 848)), ((100, 50), 64, (128, 64)), ((3, 900), 16, (16, 4800))],
)
def test_frames_are_fitted_to_patches(size, side, expected):
    assert fit_to_patches(np.zeros((*size, 3), np.uint8), side, 16).shape[:2] == expected


def test_settings_that_make_no_sense():
    for changes in ({"context": -1}, {"radius": -1}, {"top_k": 0}, {"temperature": 0.0}):
        with pytest.raises(ValueError, match=next(iter(changes))):
            PropagationConfig(**changes)
