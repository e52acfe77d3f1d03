"""Numbers of a run for notebooks."""

import json
import shutil

import pytest
from tests.training.tiny import train

from ludus.errors import RunError
from ludus.monitor.statistics import RunStatistics, idle_games


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


def test_stagnation_of_windows_is_fifty_thousand_games_without_a_fall():
    def idle(*variances):
        return idle_games([{"value_error_variance": one, "games": 10_000} for one in variances])

    rough = [0.03, -0.03, 0.02, -0.02, 0.025, -0.025]
    falling = [60.0 - step + rough[step % 6] for step in range(12)]
    assert idle(*falling[:4]) is None, "a mean has five windows"
    assert idle(*falling) <= 20_000
    flat = [falling[-1] + rough[step % 6] for step in range(9)]
    assert idle(*falling, *flat[:3]) < 50_000 <= idle(*falling, *flat)
    assert idle(*falling, *flat, *(one - 20 for one in falling)) <= 20_000, "it falls again"


def test_errors_are_summed_up(statistics, tmp_path):
    run = shutil.copytree(statistics.path, tmp_path / "run")
    log = run / "logs/events.ndjson"
    line = json.loads(log.read_text().splitlines()[-1])
    more = [
        {**line, "event": "save_failed", "attempt": one, "message": "full"} for one in range(30)
    ]
    log.write_text(log.read_text() + "".join(json.dumps(one) + "\n" for one in more))
    found = RunStatistics(run).errors()
    assert [one["attempt"] for one in found["recent"]] == list(range(10, 30))
    assert found["totals"] == {}


def test_no_run(tmp_path):
    with pytest.raises(RunError):
        RunStatistics(tmp_path)
