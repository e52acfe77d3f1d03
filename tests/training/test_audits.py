"""The audit in a run: clean runs, wrong data that pause it, warnings; figures in the logs."""

import dataclasses

import numpy as np
import pytest
from tests.training.tiny import train

from ludus.cli import main as cli
from ludus.games import Symmetry, get_game
from ludus.replay import GameRecords, ReplayStore
from ludus.runs import Run, read_ndjson, read_status
from ludus.training.measures import SPEEDS, StepFigures
from ludus.training.view import describe

SHORT = ("evaluation.every=0", "gating.enabled=false")


def events(path, name, log="metrics"):
    records, bad = read_ndjson(path / "logs" / f"{log}.ndjson")
    assert bad == 0
    return [record for record in records if record["event"] == name]


@pytest.fixture(scope="module")
def clean(tmp_path_factory):
    """Two iterations with every game derived again, and what was noted."""
    path, notes = tmp_path_factory.mktemp("audits") / "run", []
    more = ("training.audit_games=72", "evaluation.every=1")
    assert train(path, *more, iterations=2, notes=notes).state == "done"
    return path, notes


def ludus(capsys, *arguments):
    code = cli.main(list(map(str, arguments)))
    said = capsys.readouterr()
    return code, said.out, said.err


def test_a_clean_run_has_no_findings(clean):
    path, notes = clean
    audits = events(path, "audit")
    assert [record["iteration"] for record in audits] == [0, 1]
    for record in audits:
        assert (record["errors"], record["warnings"]) == (0, 0)
        assert record["plies_rederived"] > 1000
        assert 0.0 < record["illegal_mass"] < 1.0
        assert record["target_share"] == 1.0 and record["capped_share"] == 0.0
        assert record["target_entropy"] > 0.5
        assert {entry["seat"] for entry in record["targets_by_seat"]} == {0, 1}
    assert not events(path, "tripwire", "events")
    assert read_status(path)["warnings"] == []
    assert not [text for text in notes if text.startswith(("warning", "error"))]
    for entry in Run.open(path, write=False).iterations:
        assert entry["audit"]["findings"] == []
        assert entry["audit"]["seconds"] > 0


def test_play_is_measured(clean):
    path, _ = clean
    for record in events(path, "selfplay_iter"):
        assert record["simulations_per_second"] == record["leaves_per_second"] > 0
        assert record["expansions_per_second"] > 0
        # Every expansion is an evaluated leaf.
        assert record["evaluations_per_second"] == pytest.approx(
            record["expansions_per_second"], rel=1e-6
        )
        assert 0 < record["batch_fill"] <= 1
        assert sum(record["batch_fill_histogram"]) == record["batches"] > 0
        assert sum(record["latency_us_histogram"].values()) == record["batches"]
        assert 0 < record["latency_us_p50"] <= record["latency_us_p95"]
        assert record["mean_batch_rows"] == pytest.approx(record["evaluations"] / record["batches"])
        assert 0 < record["policy_entropy"] < np.log(47) and 0 < record["policy_max"] <= 1
        assert record["sampled_roots"] > 0
        assert record["fallback_rate"] == 0.0


def test_learning_is_measured(clean):
    path, _ = clean
    steps = {record["iteration"]: record for record in events(path, "train_step")}
    for record in events(path, "train_iter"):
        assert (record["steps"], record["samples"]) == (8, 8 * 64)
        assert 0 < record["step_ms_p50"] <= record["step_ms_p95"]
        assert record["samples_per_second"] > 0
        losses = record["losses"]
        assert {"loss_total", "loss_policy", "loss_value", "entropy", "lr", "grad_norm"} <= set(
            losses
        )
        for one in losses.values():
            assert one["min"] <= one["mean"] <= one["max"]
            assert one["min"] <= one["last"] <= one["max"]
        assert losses["loss_total"]["last"] == steps[record["iteration"]]["loss_total"]


def test_knobs_stand_beside_the_curves(clean):
    path, _ = clean
    plays, gates = events(path, "selfplay_iter"), events(path, "gate_summary")
    measured = events(path, "evaluation")
    for record in (*plays, *gates, *measured, *events(path, "train_iter")):
        knobs = record["knobs"]
        assert knobs["backend"] and knobs["window"]["capacity_shards"] == 8
        assert knobs["search"]["rule"] == "gumbel"
    assert plays[0]["budgets"] == [2, 4] and plays[0]["temperature"]["kind"] == "constant"
    assert {tuple(record["budgets"]) for record in (*gates, *measured)} == {(2,)}
    assert all(record["seeds_hash"] for record in (*gates, *measured))
    assert gates[0]["latency_us_p95"] > 0
    assert measured[0]["seeds_hash"] == measured[2]["seeds_hash"], "curves have equal seeds"


def test_status_has_the_speeds_while_it_works(tmp_path, monkeypatch):
    monkeypatch.setattr("ludus.training.reporter._STATUS_SECONDS", 0.0)
    seen = {}

    def act(loop, unit):
        status = read_status(loop._session.run.path)
        if status is not None and status["phase"] is not None:
            seen.setdefault(status["phase"], []).append(status["speed"])

    more = (*SHORT, "runtime.unit_seconds=0.002")
    assert train(tmp_path / "run", *more, act=act, iterations=1).state == "done"
    play, learn = seen["selfplay"][-1], seen["train"][-1]
    assert set(play) == set(learn) == set(SPEEDS)
    for name in ("simulations_per_second", "evaluations_per_second", "batch_fill"):
        assert play[name] > 0
    assert play["pending_batches"] == 0, "between units nothing waits"
    assert play["policy_max"] > 0 and play["latency_us_p50"] > 0
    assert learn["samples_per_second"] > 0 and learn["step_ms_p95"] >= learn["step_ms_p50"] > 0


def test_figures_go_through_interruptions(tmp_path):
    path = tmp_path / "run"
    more = (*SHORT, "selfplay.root_sample_every=1")
    train(path, *more, iterations=1, crash_at=6, commit_always=True)
    while train(path, iterations=1, crash_at=4, commit_always=True) is None:
        pass
    play, learn = events(path, "selfplay_iter")[0], events(path, "train_iter")[0]
    assert (learn["steps"], learn["samples"]) == (8, 512)
    assert play["evaluations"] >= play["simulations"], "work that was redone is counted too"
    assert sum(play["batch_fill_histogram"]) == play["batches"]
    assert not events(path, "tripwire", "events")


def test_steps_are_summed_up():
    figures = StepFigures()
    assert figures.speeds() == dict.fromkeys(("samples_per_second", "step_ms_p50", "step_ms_p95"))
    for loss in (3.0, 1.0, 2.0):
        figures.add({"loss": loss}, 10, 5_000_000)
    again = StepFigures(figures.as_json())
    assert again.losses() == {
        "loss": {"first": 3.0, "last": 2.0, "mean": 2.0, "min": 1.0, "max": 3.0}
    }
    assert again.speeds()["samples_per_second"] == pytest.approx(2000)
    assert again.speeds()["step_ms_p50"] == pytest.approx(5, rel=0.2)


# ---- wrong data


def corrupt(monkeypatch, column, change):
    """Games whose records are changed on their way into the replay."""
    real = ReplayStore.add

    def add(self, records):
        columns = records.columns if isinstance(records, GameRecords) else records
        if len(columns["game_id"]):
            array = columns[column].copy()
            change(array)
            columns = {**columns, column: array}
        real(self, columns)

    monkeypatch.setattr(ReplayStore, "add", add)


def test_wrong_data_pause_the_run_before_anything_is_learned(tmp_path, monkeypatch, capsys):
    path, notes = tmp_path / "run", []

    def swap(seats):
        seats[...] = 1 - seats

    with monkeypatch.context() as patched:
        corrupt(patched, "seat", swap)
        ending = train(path, *SHORT, iterations=1, notes=notes)
    assert (ending.state, ending.code) == ("paused", 3)
    assert "wrong data in the games of iteration 0, nothing was learned from them: game" in (
        ending.text
    )
    assert "is seat 1's there, but seat 0 moves (and 7 more findings)" in ending.text
    found = events(path, "tripwire", "events")
    assert {record["tripwire"] for record in found} == {"seats"} and len(found) == 8
    assert {record["severity"] for record in found} == {"error"}
    assert [text for text in notes if text.startswith("error: game")]
    run = Run.open(path, write=False)
    assert run.manifest.counters.get("train_step", 0) == 0
    assert run.manifest.progress["phase"] == "train"
    status = read_status(path)
    assert status["state"] == "paused" and "wrong data" in status["reason"]
    assert any("moves" in text for text in status["warnings"])
    # The data are as wrong at the next start.
    assert train(path, iterations=1).state == "paused"
    code, out, _ = ludus(capsys, "replay", "audit", path)
    assert code == 1 and "error: game 0, ply 0 is seat 1's there" in out
    # Whoever insists says so, and it is recorded.
    assert train(path, "training.audit_games=0", iterations=1).state == "done"
    changed = events(path, "setting_changed", "events")
    assert changed[-1]["key"] == "training.audit_games"


def test_a_wrong_decoder_pauses_the_run(tmp_path, monkeypatch):
    from ludus import _core

    real = _core.decode_rows

    def decode(*arguments):
        rows = dict(real(*arguments))
        rows["value"] = -rows["value"]
        return rows

    monkeypatch.setattr("ludus.replay.rederive._core.decode_rows", decode)
    ending = train(tmp_path / "run", *SHORT, iterations=1)
    assert ending.state == "paused" and "was decoded with value" in ending.text


# ---- warnings


def test_a_warning_goes_on_and_is_shown(tmp_path, capsys):
    path, notes = tmp_path / "run", []
    # Nothing is as broad as 10 nats: the floor stands in for a policy that collapsed.
    ending = train(path, *SHORT, "training.audit_entropy=10", iterations=2, notes=notes)
    assert ending.state == "done"
    found = events(path, "tripwire", "events")
    assert [(one["iteration"], one["tripwire"]) for one in found] == [
        (0, "policy_collapse"),
        (1, "policy_collapse"),
    ]
    assert found[0]["figures"]["target_entropy"] < 10
    warned = [text for text in notes if text.startswith("warning: ")]
    assert len(warned) == 1, "a lasting warning is noted once"
    assert "below the floor of 10" in warned[0]
    assert [record["warnings"] for record in events(path, "audit")] == [1, 1]
    status = read_status(path)
    assert len(status["warnings"]) == 1
    code, out, _ = ludus(capsys, "status", path)
    assert code == 0 and "warning    policy targets have a mean entropy of" in out
    assert "warnings 1" in describe({"phase": "train", "warnings": 1})
    assert "warnings" not in describe({"phase": "train", "warnings": 0})


def test_a_slow_iteration_is_told(tmp_path, monkeypatch):
    """Three quick iterations, then one that is held up."""
    path = tmp_path / "run"
    assert train(path, *SHORT, iterations=3).state == "done"
    assert not events(path, "tripwire", "events")
    from ludus.training.selfplay import SelfplayPhase

    real = SelfplayPhase._totals

    def totals(self):
        return {**real(self), "seconds": 60.0}

    monkeypatch.setattr(SelfplayPhase, "_totals", totals)
    assert train(path, iterations=4).state == "done"
    found = events(path, "tripwire", "events")
    assert [record["tripwire"] for record in found] == ["throughput", "throughput"]
    assert found[0]["text"].startswith("self-play made 1.2 games/s, under 50% of the")
    assert found[0]["figures"]["median"] > 2.4


def test_symmetries_of_the_game_are_looked_at(tmp_path, monkeypatch):
    entry = get_game("yatzy")
    shuffled = Symmetry(
        np.random.default_rng(1).permutation(entry.rules.observation_size),
        np.arange(entry.rules.num_actions),
    )
    twin = dataclasses.replace(entry, symmetries=(shuffled,))
    monkeypatch.setattr("ludus.training.birth.get_game", lambda name: twin)
    path = tmp_path / "run"
    assert train(path, *SHORT, "training.audit_symmetry=0", iterations=1).state == "done"
    record = events(path, "audit")[0]
    assert record["symmetry_value_difference"] > 0
    assert [one["tripwire"] for one in events(path, "tripwire", "events")] == ["symmetry"]


def test_no_audit_when_it_is_off(tmp_path):
    path = tmp_path / "run"
    assert train(path, *SHORT, "training.audit_games=0", iterations=1).state == "done"
    record = events(path, "audit")[0]
    assert "plies_rederived" not in record and "illegal_mass" not in record


# ---- the command


def test_the_command_derives_games_again(clean, capsys):
    path, _ = clean
    code, out, _ = ludus(capsys, "replay", "audit", path, "--games", "20")
    assert code == 0
    assert out.startswith("20 games with") and out.endswith("nothing is wrong\n")
    import json

    code, out, _ = ludus(capsys, "replay", "audit", path, "--games", "5", "--json")
    document = json.loads(out)
    assert code == 0 and document["findings"] == []
    assert document["figures"]["games_rederived"] == 5
