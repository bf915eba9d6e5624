"""Ratios out of run folders, and their plot."""

from __future__ import annotations

import json

import cv2
import numpy as np
import pytest

from dropmae_pretrain.attention_plot import plot_ratios, read_ratios
from dropmae_pretrain.cli import main
from dropmae_pretrain.temporal_attention import TemporalAttention


@pytest.fixture
def run_folder(tmp_path):
    folder = tmp_path / "small_run"
    folder.mkdir()
    with (folder / "metrics.jsonl").open("w") as file:
        for step in (10, 20, 30):
            file.write(json.dumps({"event": "step", "step": step, "epoch": 1, "total": 0.5}) + "\n")
            ratios = TemporalAttention(tuple(1 + 0.01 * step * n for n in range(11)), (0.5, step / 10)).metrics()
            file.write(json.dumps({"event": "validation", "step": step, "epoch": 1, "total": 0.4, **ratios}) + "\n")
    return folder


def test_ratios_are_read_layer_by_layer(run_folder):
    ratios = read_ratios(run_folder)
    assert (ratios.name, ratios.steps.tolist()) == ("small_run", [10, 20, 30])
    np.testing.assert_allclose(ratios.decoder, [[0.5, 1], [0.5, 2], [0.5, 3]])
    np.testing.assert_allclose(ratios.encoder[:, 10], [2, 3, 4])  # layer 10 after layer 9


def test_folders_without_ratios(tmp_path):
    with pytest.raises(ValueError, match="is no run folder"):
        read_ratios(tmp_path)
    (tmp_path / "metrics.jsonl").write_text('{"event": "step", "step": 1, "epoch": 1, "total": 1.0}\n')
    with pytest.raises(ValueError, match="no measurement of attention"):
        read_ratios(tmp_path)


def test_the_plot_has_a_row_for_each_run(run_folder, tmp_path):
    one = cv2.imread(str(plot_ratios([read_ratios(run_folder)], tmp_path / "one.png")))
    two = cv2.imread(str(plot_ratios([read_ratios(run_folder)] * 2, tmp_path / "new" / "two.png")))
    assert two.shape == (2 * one.shape[0], one.shape[1], 3)
    assert (one != 255).mean() > 0.02


def test_the_command(run_folder, capsys):
    assert main(["attention", str(run_folder)]) == 0
    told = capsys.readouterr().out
    assert "small_run, decoder, step 30: 0.50, 3.00" in told
    assert (run_folder / "attention.png").is_file()
    assert main(["attention"]) == 2
    assert "run folders" in capsys.readouterr().err
