"""What the loop does around the units, and what a run leaves for readers."""

import json
import time

import numpy as np
import pytest
from tests.training.tiny import train

from ludus.arena import GateDecision
from ludus.learners import AlphaZeroLearner
from ludus.runs import (
    Run,
    list_checkpoints,
    read_ndjson,
    read_status,
    read_summary,
    send_command,
    verify_checkpoint,
)
from ludus.training.gating import Gate


@pytest.fixture(scope="module")
def played(tmp_path_factory):
    """Two iterations."""
    path = tmp_path_factory.mktemp("loop") / "run"
    assert train(path, iterations=2) is not None
    return path


def events(path, name, log="metrics"):
    records, bad = read_ndjson(path / "logs" / f"{log}.ndjson")
    assert bad == 0
    return [record for record in records if record["event"] == name]


def test_every_record_has_the_envelope(played):
    for log in ("metrics", "events", "roots"):
        records, _ = read_ndjson(played / "logs" / f"{log}.ndjson")
        assert records
        for record in records:
            assert {"event", "ts_ms", "run_id", "v", "config_hash", "step"} <= set(record)
            assert set(record["v"]) == {
                "protocol_version",
                "feature_schema_id",
                "action_space_id",
                "ruleset_id",
            }


def test_training_can_be_told_from_the_logs(played):
    steps = events(played, "train_step")
    assert [record["step"] for record in steps] == [8, 16]
    wanted = {"loss_total", "loss_policy", "loss_value", "entropy", "lr", "throughput_steps_s"}
    assert all(wanted <= set(record) for record in steps)
    plan = events(played, "train_plan")
    assert [record["steps_target"] for record in plan] == [8, 8]
    assert plan[0]["snapshot"]["total_games"] == 72
    for record in events(played, "selfplay_iter"):
        phases = [record[f"seconds_{name}"] for name in ("tree", "encode", "network", "softmax")]
        assert min(phases) > 0
        assert record["seconds_idle"] > -0.01
        assert record["games"] == 72
        assert {"fallbacks", "fallback_rate", "leaves_per_second", "temperature"} <= set(record)
        assert {"collisions", "collision_rate", "forced"} <= set(record)
        assert 1.0 < record["mean_batch_rows"] <= 64.0
    prune = events(played, "replay_prune")
    assert prune[0]["deleted"]["shards"] == 4


def test_sampled_roots_tell_the_search(played):
    for root in events(played, "mcts_root", "roots"):
        assert {"game_id", "ply", "seat", "visits", "q", "temperature", "fallback_rate"} <= set(
            root
        )
        assert len(root["prior"]) == len(root["prior_noised"]) == len(root["actions"])
        assert root["pi_max"] == pytest.approx(max(root["policy"]))
        assert 0.0 <= root["pi_entropy"] <= np.log(len(root["policy"])) + 1e-6


def test_gates_can_be_audited(played):
    gates = events(played, "gate_summary")
    assert len(gates) == 2
    assert gates[0]["seeds_hash"] != gates[1]["seeds_hash"]
    for key in (
        "oracle_match_rate_overall",
        "oracle_match_rate_mark",
        "oracle_match_rate_reroll",
        "oracle_keepall_ignored",
        "win_rate",
        "mean_score_difference",
        "sprt",
    ):
        assert key in gates[0]
    report = json.loads((played / "reports" / "gate_report.json").read_text())
    assert report["gating"]["seeds_hash"] == gates[1]["seeds_hash"]
    assert report["wins"] + report["losses"] + report["draws"] == report["games"]
    assert report["oracle"]["oracle_keepall_ignored"] >= 0


def test_evaluation_is_logged_with_its_interval(played):
    found = {record["opponent"]: record for record in events(played, "evaluation")}
    assert set(found) == {"first", "random"}
    assert found["first"]["win_rate_low"] <= found["first"]["win_rate"]
    alone = events(played, "oracle_eval")[0]
    assert {"mean", "std", "median", "min", "max", "bonus_rate", "games", "policy_id"} <= set(alone)


def test_run_json_tells_the_history(played):
    summary = read_summary(played)
    assert summary["controller_iteration_idx"] == 2
    counters = summary["counters"]
    assert counters["selfplay_games"] == 144
    assert counters["train_step"] == 16
    assert counters["gate_games"] > 0
    assert {"git_hash", "config_hash", "ruleset_id", "config_snapshot", "best_model_path"} <= set(
        summary
    )
    for number, entry in enumerate(summary["iterations"]):
        assert entry["iteration"] == number
        assert entry["finished_ms"] >= entry["started_ms"]
        assert entry["train"]["steps_target"] == entry["train"]["steps_completed"] == 8
        assert entry["train"]["loss_total"] > 0
        assert entry["promoted"] in (True, False)
        assert (played / entry["best_model_path"]).is_file()
    status = read_status(played)
    assert (status["state"], status["phase"], status["iteration"]) == ("done", None, 2)


def test_a_limit_that_is_reached_leaves_a_report(played):
    report = json.loads((played / "reports" / "training_report.json").read_text())
    assert report["iterations"] == 2
    assert report["evaluation"]["first"]["games"] == 8
    assert (played / report["champion"]["path"]).is_file()


def test_the_first_network_and_every_champion_stay(played):
    promoted = [e["iteration"] + 1 for e in read_summary(played)["iterations"] if e["promoted"]]
    names = sorted(path.name for path in (played / "models").glob("champion-*.safetensors"))
    assert names == [f"champion-{unit:06d}.safetensors" for unit in [0, *promoted]]
    about = json.loads((played / "models" / "champion-000000.json").read_text())
    assert {"config_hash", "git_hash", "train_step", "ruleset_id", "sha256"} <= set(about)


def test_promotions_leave_checkpoints_that_verify(played):
    promoted = sum(bool(entry["promoted"]) for entry in read_summary(played)["iterations"])
    found = list_checkpoints(played)
    assert len(found) == promoted
    for entry in found:
        header = verify_checkpoint(played / entry.path)
        assert any(name.startswith("adam/") for name in header.tensors)
        assert any(name.startswith("champion/") for name in header.tensors)


def test_the_config_is_kept(played):
    config = Run.open(played, write=False).config
    assert config["search"]["budget_by_kind"] == {"mark": 4}
    assert config["environment"]["probe"]
    assert config["runtime"]["backend"] == "torch-f32"


def decide(monkeypatch, promoted: bool) -> None:
    """A gate that plays, then decides as told."""
    real = Gate.advance

    def advance(self, seconds):
        decision = real(self, seconds)
        if decision is None:
            return None
        return GateDecision(
            promoted, "cap", decision.result, decision.ratio, None, decision.settings
        )

    monkeypatch.setattr(Gate, "advance", advance)


def starts(monkeypatch) -> list[dict[str, np.ndarray]]:
    """Weights that each iteration's candidate begins from; Adam has no moments there."""
    found = []
    real = AlphaZeroLearner.begin_iteration

    def begin(self, weights, steps_target, **values):
        real(self, weights, steps_target, **values)
        assert not any(name.startswith("adam/") for name in self.state())
        found.append({name: array.copy() for name, array in self.weights().items()})

    monkeypatch.setattr(AlphaZeroLearner, "begin_iteration", begin)
    return found


def same(one, two) -> bool:
    return all(np.array_equal(one[name], two[name]) for name in one)


def test_a_rejected_candidate_changes_nothing(tmp_path, monkeypatch):
    decide(monkeypatch, promoted=False)
    begun = starts(monkeypatch)
    path = tmp_path / "run"
    assert train(path, iterations=2) is not None
    assert same(begun[0], begun[1])
    run = Run.open(path, write=False)
    assert run.manifest.objects["champion"].path == "models/champion-000000.safetensors"
    assert [entry["promoted"] for entry in run.iterations] == [False, False]
    assert not list_checkpoints(path)


def test_checkpoints_of_an_interval_are_counted_from_one(tmp_path, monkeypatch):
    decide(monkeypatch, promoted=False)
    train(tmp_path / "run", "run.checkpoint_every=2", "evaluation.every=0", iterations=5)
    units = [entry.unit for entry in list_checkpoints(tmp_path / "run")]
    assert units == [2, 4], "none at 0, and no further one at the end"


def test_a_promoted_candidate_is_the_next_start(tmp_path, monkeypatch):
    decide(monkeypatch, promoted=True)
    begun = starts(monkeypatch)
    path = tmp_path / "run"
    assert train(path, iterations=2) is not None
    assert not same(begun[0], begun[1])
    run = Run.open(path, write=False)
    champion = run.manifest.objects["champion"]
    assert champion.path == "models/champion-000002.safetensors"
    arrays, _ = run.get_object(run.manifest.objects["candidate"])
    assert same(arrays, run.get_object(champion)[0])
    assert len(events(path, "promotion")) == 2


def test_going_on_from_rejected_candidates_ends_after_three(tmp_path, monkeypatch):
    decide(monkeypatch, promoted=False)
    begun = starts(monkeypatch)
    assert (
        train(
            tmp_path / "run", "gating.after_rejection=candidate", "evaluation.every=0", iterations=4
        )
        is not None
    )
    assert not same(begun[0], begun[1])
    assert not same(begun[1], begun[2])
    assert same(begun[0], begun[3])


@pytest.mark.parametrize("name", ["pause", "stop"])
def test_pause_and_stop_are_quick_and_committed(tmp_path, name):
    path, sent = tmp_path / "run", []

    def act(loop, unit):
        if unit == 3:
            send_command(path, name)
            sent.append(time.monotonic())

    ending = train(path, "search.budget_by_kind.mark=64", act=act)
    assert time.monotonic() - sent[0] < 5
    assert (ending.state, ending.code) == {"pause": ("paused", 3), "stop": ("idle", 0)}[name]
    assert read_status(path)["state"] == ending.state
    assert f"ludus train yatzy --run {path}" in ending.text
    assert not list((path / "control").iterdir())


def test_pause_at_the_end_of_the_iteration(tmp_path):
    ending = train(tmp_path / "run", "evaluation.every=0", pause_at="iteration")
    assert ending.state == "paused"
    assert Run.open(tmp_path / "run", write=False).manifest.progress["iteration"] == 1


def test_save_and_set_while_training(tmp_path):
    path = tmp_path / "run"

    def act(loop, unit):
        if unit == 1:
            (path / "control.signal").write_text(
                "SAVE\nSET run.commit_seconds=7\nSET search.c_puct=9\nSET no.such=1\nDANCE\n"
            )

    assert train(path, "evaluation.every=0", act=act, iterations=1) is not None
    permanent = [entry for entry in list_checkpoints(path) if entry.where == "permanent"]
    assert len(permanent) == 1
    progress = Run.open(path, write=False).manifest.progress
    assert progress["changed"] == {"run.commit_seconds": 7}
    refused = " ".join(record["message"] for record in events(path, "command_refused", "events"))
    assert "search.c_puct" in refused
    assert "no.such" in refused
    assert "dance" in refused.lower()


def test_an_epoch_is_the_window_once(tmp_path):
    path = tmp_path / "run"
    settings = ("training.steps_per_iteration=null", "training.epochs=0.5", "evaluation.every=0")
    assert train(path, *settings, iterations=1) is not None
    plan = events(path, "train_plan")[0]
    assert plan["rule"] == "epochs"
    samples = plan["snapshot"]["total_samples"]
    assert plan["steps_target"] == round(0.5 * -(-samples // 64))
    assert (
        Run.open(path, write=False).iterations[0]["train"]["steps_target"] == plan["steps_target"]
    )


def test_without_a_gate_every_candidate_is_promoted(tmp_path):
    path = tmp_path / "run"
    assert train(path, "gating.enabled=false", "evaluation.every=0", iterations=1) is not None
    assert Run.open(path, write=False).iterations[0]["promoted"] is True


def test_the_search_budget_follows_its_schedule(tmp_path):
    scale = "search.budget_scale={kind: linear, clock: iteration, start: 1, end: 3, over: 2}"
    train(tmp_path / "run", scale, "evaluation.every=0", iterations=3)
    budgets = [record["budgets"] for record in events(tmp_path / "run", "selfplay_iter")]
    assert budgets == [[2, 4], [4, 8], [6, 12]]
