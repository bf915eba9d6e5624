"""Attention between frames, and pictures of what the network completes."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from dropmae_pretrain.config import ModelConfig, ObjectiveConfig
from dropmae_pretrain.network import Draws, DropMAE
from dropmae_pretrain.objective import patch_statistics, patchify
from dropmae_pretrain.pair_config import CropConfig, PairConfig
from dropmae_pretrain.pictures import HIDDEN_GREY, draw_pairs, pair_sheet, reconstruct
from dropmae_pretrain.temporal_attention import TemporalAttention, temporal_attention
from dropmae_pretrain.videos import open_clips
from trackcore.sinks import open_sink
from trackdata.errors import AnnotationError, FrameError

SMALL = ModelConfig(32, 8, width=32, depth=2, heads=2, decoder_width=24, decoder_depth=3, decoder_heads=3)


@pytest.fixture
def network() -> DropMAE:
    torch.manual_seed(0)
    return DropMAE(SMALL)


@pytest.fixture
def frames() -> tuple[torch.Tensor, torch.Tensor]:
    generator = torch.Generator().manual_seed(1)
    return tuple(torch.rand(3, 3, 32, 32, generator=generator) * 2 - 1 for _ in range(2))


@pytest.fixture
def noise() -> torch.Tensor:
    return torch.rand(3, SMALL.tokens, generator=torch.Generator().manual_seed(2))


def whole_maps(network: DropMAE, first, second, noise) -> tuple[list[np.ndarray], list[np.ndarray]]:
    """Slow reference: every layer's attention over all keys, ``(B, heads, N, N)``."""
    found: dict[int, np.ndarray] = {}

    def keep(module, arguments):
        queries, keys, _ = module.heads_of(arguments[0])
        found[id(module)] = (queries @ keys.transpose(-2, -1) * queries.shape[-1] ** -0.5).softmax(-1).detach().numpy()

    handles = [block.attn.register_forward_pre_hook(keep) for block in (*network.blocks, *network.decoder_blocks)]
    network.eval()(first, second, Draws(noise=noise))
    for handle in handles:
        handle.remove()
    return tuple([found[id(block.attn)] for block in part] for part in (network.blocks, network.decoder_blocks))


def test_ratios_are_those_of_the_whole_attention_maps(network, frames, noise):
    encoder, decoder = whole_maps(network, *frames, noise)
    visible = np.argsort(noise.numpy(), axis=1)[:, : network.keep]
    of_second = {"encoder": visible >= SMALL.frame_tokens, "decoder": np.arange(SMALL.tokens) >= SMALL.frame_tokens}
    measured = temporal_attention(network, *frames, noise)
    for name, maps in (("encoder", encoder), ("decoder", decoder)):
        for layer, attention in enumerate(maps):
            temporal, spatial = 0.0, 0.0
            for sample in range(3):
                side = np.broadcast_to(of_second[name], (3, of_second[name].shape[-1]))[sample]
                other = side[:, None] != side[None, :]
                temporal += attention[sample][:, other].sum()
                spatial += attention[sample][:, ~other].sum()
            assert getattr(measured, name)[layer] == pytest.approx(temporal / spatial, rel=1e-4)


def test_attention_alike_to_all_tokens_has_a_ratio_of_one(network, frames):
    for block in (*network.blocks, *network.decoder_blocks):
        torch.nn.init.zeros_(block.attn.qkv.weight)
    measured = temporal_attention(network, *frames)
    np.testing.assert_allclose(measured.decoder, 1.0, rtol=1e-5)
    # The visible tokens of the frames are unequal in number, and more keys of the other frame mean more attention.
    assert all(0.5 < ratio < 1.5 for ratio in measured.encoder)


def test_ratios_have_names_and_leave_the_network_as_it_was(network, frames):
    network.train()
    metrics = temporal_attention(network, *frames).metrics()
    assert list(metrics) == [
        *(f"attention/encoder_{n:02d}" for n in range(2)),
        *(f"attention/decoder_{n:02d}" for n in range(3)),
    ]
    assert network.training
    assert not any(block.attn._forward_pre_hooks for block in (*network.blocks, *network.decoder_blocks))
    with pytest.raises(ValueError, match="frames must be"):
        temporal_attention(network, frames[0][:, :, :16], frames[1])
    assert not any(block.attn._forward_pre_hooks for block in network.blocks)
    assert TemporalAttention((1.0,), ()).metrics() == {"attention/encoder_00": 1.0}


def test_pictures_show_frames_masks_and_predictions(network, frames, noise):
    crop = CropConfig(size=32)
    pictures = reconstruct(network.train(), *frames, noise)
    assert network.training
    output = network.eval()(*frames, Draws(noise=noise))
    hidden = output.hidden.bool().numpy().reshape(3, 2, 4, 4).repeat(8, 2).repeat(8, 3)
    mean, std = np.array(crop.mean), np.array(crop.std)
    original = np.stack([frame.numpy().transpose(0, 2, 3, 1) for frame in frames], axis=1)
    np.testing.assert_array_equal(pictures.original, np.clip(np.round((original * std + mean) * 255), 0, 255))
    np.testing.assert_array_equal(pictures.masked[~hidden], pictures.original[~hidden])
    assert (pictures.masked[hidden] == HIDDEN_GREY).all()
    np.testing.assert_array_equal(pictures.reconstructed[~hidden], pictures.original[~hidden])
    # one hidden patch by hand: normalisation undone with the true patch's mean and deviation, channels last
    number = int(np.flatnonzero(output.hidden[0].numpy())[0])
    frame, place = divmod(number, SMALL.frame_tokens)
    true = patchify(frames[frame][:1], 8)[0, place]
    values, deviations = patch_statistics(true)
    expected = (output.prediction[0, number] * deviations + values).detach().numpy().reshape(8, 8, 3)
    row, column = divmod(place, 4)
    shown = pictures.reconstructed[0, frame, 8 * row : 8 * row + 8, 8 * column : 8 * column + 8]
    np.testing.assert_array_equal(shown, np.clip(np.round((expected * std + mean) * 255), 0, 255))


def test_pixels_are_shown_as_predicted_when_targets_are_not_normalised(frames, noise):
    torch.manual_seed(0)
    network = DropMAE(SMALL, ObjectiveConfig(normalise_target=False))
    torch.nn.init.zeros_(network.decoder_pred.weight)
    pictures = reconstruct(network, *frames, noise)
    hidden = pictures.masked != pictures.original
    means = np.broadcast_to(np.round(np.array(CropConfig().mean) * 255), pictures.masked.shape)
    np.testing.assert_array_equal(pictures.reconstructed[hidden], means[hidden])


def test_a_sheet_has_a_row_for_each_pair(network, frames):
    pictures = reconstruct(network, *frames)
    plain, named = pair_sheet(pictures), pair_sheet(pictures, ["one", "two", "three"])
    assert plain.dtype == np.uint8
    assert plain.shape[0] == 3 * (18 + 128 + 6)  # captions, panels enlarged four times, gaps
    assert named.shape == (plain.shape[0] + 3 * 18, plain.shape[1], 3)


def test_pairs_to_look_at_come_from_the_middle_of_both_frames(video_root):
    clips = open_clips(video_root)
    config = PairConfig(gap=4, crop=CropConfig(size=72))
    pairs = draw_pairs(clips, 6, config, seed=3)
    assert pairs.first.shape == pairs.second.shape == (6, 3, 72, 72)
    assert [name.split(",")[0] for name in pairs.names] == [clips[n % len(clips)].name for n in range(6)]
    frames = [int(word) for word in pairs.names[1].split("frames ")[1].split(" and ")]
    assert 0 < frames[1] - frames[0] < 4
    middle = clips[1].frames[frames[0]][:, 12:84] / 255  # 96 x 72 pixels: nothing to resize
    expected = (middle - np.array(config.crop.mean)) / np.array(config.crop.std)
    np.testing.assert_allclose(pairs.first[1].numpy().transpose(1, 2, 0), expected, atol=1e-5)
    assert draw_pairs(clips, 6, config, seed=3).names == pairs.names != draw_pairs(clips, 6, config, seed=4).names


def test_clips_are_a_file_a_folder_of_images_or_a_folder_of_videos(video_root, tmp_path):
    file = next(video_root.rglob("0.mp4"))
    assert [(clip.name, len(clip)) for clip in open_clips(file)] == [("0", 20)]
    with open_sink(tmp_path / "frames") as sink:
        for _ in range(3):
            sink.write(np.zeros((16, 24, 3), np.uint8))
    assert [(clip.name, len(clip)) for clip in open_clips(tmp_path / "frames")] == [("frames", 3)]
    assert [(clip.name, len(clip)) for clip in open_clips(tmp_path)] == [("frames", 3)]
    assert len(open_clips(video_root)) == 4
    with pytest.raises(FrameError, match=r"gone\.mp4"):
        open_clips(tmp_path / "gone.mp4")
    with pytest.raises(AnnotationError, match="gone"):
        open_clips(tmp_path / "gone")
