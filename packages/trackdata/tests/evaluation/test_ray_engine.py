"""Tracking on a Ray cluster of two nodes on this machine, of which one is killed midway."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from pathlib import Path
from threading import Timer

import pytest

from trackdata.evaluation import LocalEngine, RayEngine, TrackerStartError, run

pytestmark = pytest.mark.slow


@pytest.fixture
def cluster(made, monkeypatch) -> Iterator:
    monkeypatch.setenv("RAY_USAGE_STATS_ENABLED", "0")
    monkeypatch.setenv("PYTHONPATH", str(Path(made.__file__).parent))  # of the nodes' workers
    ray = pytest.importorskip("ray")
    utils = pytest.importorskip("ray.cluster_utils")
    node = {"num_cpus": 1, "object_store_memory": 80 << 20}
    cluster = utils.Cluster(initialize_head=True, head_node_args={**node, "include_dashboard": False})
    cluster.add_node(**node)
    cluster.wait_for_nodes()
    yield cluster
    ray.shutdown()
    cluster.shutdown()


def texts(folder: Path) -> dict[str, str]:
    return {path.name: path.read_text() for path in folder.glob("*.txt")}


def test_results_are_those_of_a_local_run_though_a_node_is_lost(made, cluster, tmp_path):
    data = made.Listed([made.make_sequence(f"s{place}", 40) for place in range(8)])
    log = tmp_path / "log"

    def kill_a_node(progress):
        if progress.done == 2:  # and a little later, when both workers are in the middle of a sequence
            [victim] = cluster.worker_nodes
            Timer(0.3, partial(cluster.remove_node, victim, allow_graceful=False)).start()

    factory = partial(made.Slow, log=log, pause=0.03)
    engine = RayEngine(2, address=cluster.address)
    spread = run("slow", factory, data, tmp_path / "ray", engine=engine, on_progress=kill_a_node)
    lines = log.read_text().split()
    assert len(set(lines) - {"init"}) == 2  # one worker on each node
    assert lines.count("init") == 8 + 1  # the sequence that was at work there was tracked again
    assert spread.failures == {}
    alone = run("slow", partial(made.Slow, pause=0), data, tmp_path / "local", engine=LocalEngine(1))
    assert texts(spread.folder) == texts(alone.folder)
    assert len(texts(spread.folder)) == 8
    again = run("slow", made.no_tracker, data, tmp_path / "ray", engine=engine)
    assert all(outcome.reused for outcome in again.outcomes)


def test_what_goes_wrong_on_a_cluster(made, cluster, tmp_path):
    data = made.Listed([made.make_sequence(f"s{place}", frames) for place, frames in enumerate([4, 6, 3])])
    with pytest.raises(TrackerStartError, match="RuntimeError: the weights are missing"):
        run("none", made.no_tracker, data, tmp_path, engine=RayEngine(1, address=cluster.address))
    engine = RayEngine(1, address=cluster.address, retries=1)
    assert run("dying", made.Dying, data, tmp_path, engine=engine).failures == {
        "s1": "the worker was lost (ActorDiedError)"
    }
    engine = RayEngine(1, address=cluster.address, timeout=2)
    assert run("hanging", made.Hanging, data, tmp_path, engine=engine).failures == {
        "s1": "not finished after 2 s and ended"
    }
