"""The memory guard: report by component, shrinking, one restart, then a pause."""

import numpy as np
import pytest
from tests.training.guarding import events, guard
from tests.training.tiny import digests, train

import ludus.training.guards.memory as module
from ludus.evaluators import CachedEvaluator, LeafBatch, ScriptedEvaluator
from ludus.runs import Run, read_status
from ludus.training import memory as process
from ludus.training.guards import RestartError, memory_report
from ludus.training.network_session import NetworkSession

SETTINGS = ("evaluation.every=0", "gating.max_pairs=8")
MB = 1_000_000


@pytest.fixture
def used(monkeypatch):
    """The guard looks after every unit, and the process uses what the test says."""
    numbers = {"used": 100 * MB}
    monkeypatch.setattr(module, "_SECONDS", 0.0)
    monkeypatch.setattr(module, "resident_bytes", lambda: numbers["used"])
    monkeypatch.setattr("ludus.training.guards.accounts.resident_bytes", lambda: numbers["used"])
    return numbers


def test_the_report_names_where_the_memory_is(tmp_path):
    reports = []

    def act(loop, unit):
        if loop._phase is not None:
            reports.append((loop._phase.name, memory_report(loop._session, loop._phase)))

    assert train(tmp_path / "run", *SETTINGS, act=act, iterations=1).state == "done"
    by_phase = dict(reports)  # the last of each phase
    selfplay, learn, gate = (by_phase[name] for name in ("selfplay", "train", "gate"))
    assert selfplay["trees"] > 100_000
    assert learn["replay_packed"] > 0 and learn["replay_decoded"] > learn["replay_packed"]
    weights = 4 * 32 * 32
    assert selfplay["networks"] > 6 * weights
    assert gate["evaluators"] == 2 * selfplay["evaluators"] > weights
    for report in by_phase.values():
        parts = sum(value for name, value in report.items() if name != "total")
        assert parts == pytest.approx(report["total"], rel=0.01)
        assert 50 * MB < report["total"] < 10_000 * MB


def test_status_and_figures_show_the_memory(tmp_path, used):
    path = tmp_path / "run"
    used["used"] = 300 * MB
    assert train(path, *SETTINGS, "guards.memory_mb=400", iterations=3).state == "done"
    status = read_status(path)
    assert (status["memory"]["total"], status["memory"]["budget"]) == (300 * MB, 400 * MB)
    figures = status["figures"]
    assert (figures["memory_bytes"], figures["memory_budget_bytes"]) == (300 * MB, 400 * MB)
    assert figures["memory_growth_mb"] == 0.0, "since the second iteration"
    assert 0.0 <= figures["memory_fragmentation"] < 1.0
    assert guard(status, "memory") == {
        "name": "memory",
        "state": "ok",
        "text": "300 MB of 400 MB",
        "count": 0,
    }


def test_above_the_budget_the_trees_are_freed_and_nothing_else_changes(tmp_path, used):
    assert train(tmp_path / "calm", *SETTINGS, iterations=1).state == "done"
    path = tmp_path / "run"

    def act(loop, unit):
        if unit == 3:
            used["used"] = 900 * MB
        if events(path, "phase_rebuilt"):
            used["used"] = 200 * MB

    settings = (*SETTINGS, "guards.memory_mb=500", "runtime.unit_seconds=0.005")
    assert train(path, *settings, act=act, iterations=1).state == "done"
    (rebuilt,) = events(path, "phase_rebuilt")
    assert (rebuilt["phase"], rebuilt["reason"]) == (
        "selfplay",
        "900 MB are in use, more than 500 MB",
    )
    (warned,) = events(path, "guard_warned")
    assert (warned["guard"], warned["component"]) == ("memory", "the trees of the slots")
    assert warned["freed_bytes"] == 700 * MB
    assert "900 MB were in use" in warned["message"] and "now 200 MB" in warned["message"]
    assert digests(path) == digests(tmp_path / "calm")
    assert guard(read_status(path), "memory")["count"] == 1


def test_what_evaluators_remember_goes_first_if_it_is_more(tmp_path, used, monkeypatch):
    real, made = NetworkSession.evaluator, []

    def evaluator(self, model):
        made.append(CachedEvaluator(real(self, model)))
        return made[-1]

    monkeypatch.setattr(NetworkSession, "evaluator", evaluator)
    cleared = []
    forget = CachedEvaluator.clear
    monkeypatch.setattr(CachedEvaluator, "clear", lambda self: cleared.append(forget(self)))
    monkeypatch.setattr(
        "ludus.training.selfplay.SelfplayPhase.memory", lambda self: {"trees": 1000}
    )

    def act(loop, unit):
        used["used"] = 900 * MB if unit >= 3 and not cleared else 200 * MB

    path = tmp_path / "run"
    settings = (*SETTINGS, "guards.memory_mb=500", "runtime.unit_seconds=0.005")
    assert train(path, *settings, act=act, iterations=1).state == "done"
    assert cleared[0] > 1000
    (warned,) = events(path, "guard_warned")
    assert warned["component"] == "answers that evaluators remembered"
    assert not events(path, "phase_rebuilt")


def test_what_shrinking_cannot_mend_restarts_once_and_pauses_then(tmp_path, used):
    path = tmp_path / "run"
    used["used"] = 900 * MB
    settings = (*SETTINGS, "guards.memory_mb=500", "runtime.unit_seconds=0.005")
    with pytest.raises(RestartError, match="uses 900 MB, more than its budget of 500 MB"):
        train(path, *settings, iterations=1)
    marks = Run.open(path, write=False).manifest.progress["guards"]["marks"]
    assert len(marks["memory"]) == 1, "committed before the process ends"
    ending = train(path, iterations=1)
    assert (ending.state, ending.code) == ("paused", 3)
    assert "for the 2. time: raise guards.memory_mb" in ending.text
    assert guard(read_status(path), "memory")["state"] == "acting"
    assert [event["guard"] for event in events(path, "guard_paused")] == ["memory"]
    # Started again with room, it goes on.
    assert train(path, "guards.memory_mb=2000", iterations=1).state == "done"


def test_a_cache_that_is_cleared_answers_as_before():
    from ludus.games import get_game

    rules = get_game("yatzy").rules
    batch = LeafBatch.allocate(rules, 64, 64 * rules.max_legal)
    batch.offsets[1:] = 1

    def fill(batch):
        batch.logits.fill(0.25)
        batch.values.fill(0.5)

    cache = CachedEvaluator(ScriptedEvaluator(fill))
    cache.evaluate(batch)
    assert cache.clear() > 0
    assert (cache.bytes_used, len(cache), cache.clear()) == (0, 0, 0)
    batch.values.fill(9.0)
    cache.evaluate(batch)
    assert batch.values[0, 0] == 0.5
    assert cache.hits == 0


def test_the_limit_of_a_container_counts(tmp_path):
    machine = process.memory_limit(tmp_path / "none", tmp_path / "none")
    assert machine > 0
    two = tmp_path / "two"
    (two / "a" / "b").mkdir(parents=True)
    (two / "memory.max").write_text("max\n")
    (two / "a" / "memory.max").write_text("200000000\n")
    (two / "a" / "b" / "memory.max").write_text("max\n")
    own = tmp_path / "cgroup"
    own.write_text("0::/a/b\n")
    assert process.memory_limit(two, own) == 200_000_000, "that of a group above"
    one = tmp_path / "one" / "memory"
    (one / "docker").mkdir(parents=True)
    (one / "memory.limit_in_bytes").write_text("9223372036854771712\n")
    (one / "docker" / "memory.limit_in_bytes").write_text("300000000\n")
    own.write_text("7:cpu,cpuacct:/other\n4:memory:/docker\n")
    assert process.memory_limit(tmp_path / "one", own) == 300_000_000
    own.write_text("4:memory:/gone\n")
    assert process.memory_limit(tmp_path / "one", own) == machine


def test_fragmentation_is_a_share():
    keep = [np.ones(1000) for _ in range(2000)]
    del keep[::2]
    share = process.fragmentation()
    assert share is None or 0.0 < share < 1.0
    process.trim()
    assert process.resident_bytes() > 10 * MB
