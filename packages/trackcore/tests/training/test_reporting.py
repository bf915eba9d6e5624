"""What the log says about speed and about waiting for data, with a clock that is moved by hand."""

from __future__ import annotations

import json

import pytest

from trackcore.training import reporting
from trackcore.training.config import LoopConfig
from trackcore.training.reporting import Reporter


@pytest.fixture
def clock(monkeypatch):
    """Set ``now`` to the time it is."""

    class Clock:
        now = 100.0

        def perf_counter(self):
            return self.now

    clock = Clock()
    monkeypatch.setattr(reporting.time, "perf_counter", clock.perf_counter)
    return clock


def steps(reporter, clock, count, seconds, waited, first=0):
    for step in range(first, first + count):
        clock.now += seconds
        reporter.step(step + 1, 1, {"total": 0.5}, waited)


def records(folder):
    return [json.loads(line) for line in (folder / "metrics.jsonl").read_text().splitlines()]


def test_the_share_of_time_spent_waiting_for_data(tmp_path, clock):
    config = LoopConfig(epochs=2, samples_per_epoch=40, batch_size=4, log_every=5, log_to="none")
    reporter = Reporter(tmp_path, config, 0, active=True)
    steps(reporter, clock, 5, seconds=2.0, waited=0.5)
    steps(reporter, clock, 5, seconds=2.0, waited=1.5, first=5)
    reporter.close()
    first, second = records(tmp_path)
    assert (first["data_wait_share"], second["data_wait_share"]) == (pytest.approx(0.25), pytest.approx(0.75))
    assert first["samples_per_second"] == pytest.approx(2.0)
    assert "2.0 samples/s, 75% waiting for data" in (tmp_path / "log.txt").read_text()


def test_a_validation_between_two_lines_counts_for_neither(tmp_path, clock):
    config = LoopConfig(epochs=4, samples_per_epoch=12, batch_size=4, log_every=5, log_to="none")
    reporter = Reporter(tmp_path, config, 0, active=True)
    steps(reporter, clock, 3, seconds=2.0, waited=0.5)
    clock.now += 50.0
    reporter.leave_out(50.0)
    steps(reporter, clock, 2, seconds=2.0, waited=0.5, first=3)
    reporter.close()
    (record,) = records(tmp_path)
    assert record["data_wait_share"] == pytest.approx(0.25)
    assert record["samples_per_second"] == pytest.approx(2.0)


def test_details_are_recorded_and_not_printed(tmp_path, clock):
    config = LoopConfig(epochs=1, samples_per_epoch=4, batch_size=4, log_every=1, log_to="none")
    reporter = Reporter(tmp_path, config, 0, active=True)
    reporter.step(1, 1, {"total": 0.5, "attention/layer_3": 1.25}, 0.0)
    reporter.close()
    assert records(tmp_path)[0]["attention/layer_3"] == 1.25
    log = (tmp_path / "log.txt").read_text()
    assert "total 0.5" in log
    assert "attention" not in log
