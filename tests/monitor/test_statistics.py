"""Numbers of a run for notebooks."""

import json

import pytest
from tests.training.tiny import train

from ludus.errors import RunError
from ludus.monitor.statistics import RunStatistics


@pytest.fixture(scope="module")
def statistics(tmp_path_factory):
    path = tmp_path_factory.mktemp("statistics") / "run"
    assert train(path, "metrics.game_stats_every=10", iterations=1).state == "done"
    return RunStatistics(path)


def test_figures_convergence_memory_and_time(statistics):
    figures = statistics.statistics()
    assert figures["state"] == "done"
    assert figures["games"] == figures["counters"]["selfplay_games"] == 72
    found = statistics.convergence()
    assert -200 < found["score_difference"] < 200
    assert found["value_error_variance"] > 0
    assert found["pattern_coverage"] is None and found["mean_updates"] is None
    assert found["stagnation_detected"] is False
    memory = statistics.memory()
    assert memory["total"] > 50 and memory["total"] >= memory["networks"] > 0
    assert statistics.eta_seconds() is None, "nobody works"


def test_export(statistics, tmp_path):
    target = statistics.export_json(tmp_path / "all.json")
    document = json.loads(target.read_text())
    assert document["convergence"] == statistics.convergence()
    assert len(document["iterations"]) == 1


def test_no_run(tmp_path):
    with pytest.raises(RunError):
        RunStatistics(tmp_path)
