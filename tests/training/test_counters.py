"""One owner of every count: whoever tells of games or steps tells the same number."""

import ast
import json
from collections import Counter

import pytest
from tests.training.tiny import train

from ludus.runs import Run, list_checkpoints, read_header, read_ndjson

LEARNERS = ("learners", "nets", "replay", "players", "evaluators", "arena")
"""Rooms that must not know of a run's counters at all."""


@pytest.fixture(scope="module", params=[1, 2])
def trained(request, tmp_path_factory):
    """With one lane, and with two."""
    path = tmp_path_factory.mktemp("counters") / "run"
    lanes = f"runtime.lanes={request.param}"
    assert train(path, lanes, "metrics.game_stats_every=8", iterations=2).state == "done"
    return path


def test_all_who_tell_agree(trained):
    with Run.open(trained, write=False) as run:
        counters = run.counters.as_dict()
        iterations = run.iterations
    assert counters["selfplay_games"] == 144
    assert counters["train_step"] == 16
    assert counters["samples"] == 16 * 64
    status = json.loads((trained / "status.json").read_text())
    assert status["counters"] == counters
    assert status["figures"]["games"] == 144
    assert status["figures"]["train_steps"] == 16
    assert status["figures"]["positions_learned"] == 16 * 64
    metrics = read_ndjson(trained / "logs/metrics.ndjson")[0]

    def of(event):
        return [one for one in metrics if one["event"] == event]

    assert of("train_step")[-1]["step"] == 16
    assert of("selfplay_iter")[-1]["step"] == counters["plies"]
    assert sum(one["games"] for one in of("selfplay_iter")) == 144
    assert sum(one["games"] for one in of("game_stats")) == 144
    assert sum(one["steps"] for one in of("train_iter")) == 16
    assert sum(one["train"]["steps_completed"] for one in iterations) == 16
    newest = list_checkpoints(trained)[-1]
    stored = read_header(trained / newest.path).meta["counters"]
    summary = of("checkpoint_summary")[-1]
    assert stored == summary["counters"]
    assert stored["selfplay_games"] == 72 * summary["iteration"] + 72


def test_each_counter_grows_in_one_place(repository):
    source = repository / "src" / "ludus"
    places: Counter[str] = Counter()
    for path in source.rglob("*.py"):
        room = path.relative_to(source).parts[0]
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            if not (isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute)):
                continue
            whose = ast.unparse(node.func.value)
            if node.func.attr == "add" and whose.endswith(("counters", "totals")):
                assert room not in LEARNERS, path
                places[ast.unparse(node.args[0]).strip("'\"")] += 1
    names = {"selfplay_games", "plies", "draws", "train_step", "samples", "iterations"}
    assert names <= set(places)
    assert all(places[name] == 1 for name in names), places
