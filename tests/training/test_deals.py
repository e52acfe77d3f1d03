"""A run of a game with more than two seats, hidden cards: gated, evaluated, rated by deals."""

import json

import pytest
from tests.training.tiny import Crash

from ludus.cli import main as cli
from ludus.runs import read_summary
from ludus.training.birth import open_session
from ludus.training.loop import Loop
from ludus.training.messages import Sender
from ludus.training.rating import elo_of
from ludus.training.request import TrainRequest
from ludus.training.view import rating_text

SETTINGS = (
    "model.hidden_dim=32",
    "model.num_blocks=1",
    "model.margin_head=true",
    "search.budget=2",
    "search.worlds=2",
    "selfplay.games_per_iteration=64",
    "selfplay.slots=64",
    "selfplay.group_size=64",
    "training.steps_per_iteration=4",
    "training.batch_size=64",
    "training.threads=1",
    "replay.games_per_shard=16",
    "replay.capacity_shards=8",
    "gating.mode=duplicate",
    "gating.deals=8",
    "gating.looks=2",
    "gating.opening_plies=0",
    "evaluation.every=1",
    "evaluation.deals=5",
    "evaluation.opponents=[first, random]",
    "runtime.unit_seconds=0.02",
    "runtime.backend=torch-f32",
    "run.commit_seconds=60",
)


def train(path, *more, iterations, crash_at=None):
    """Train in this process; None where everything was dropped after so many units."""
    settings = () if (path / "manifests").is_dir() else (*SETTINGS, *more)
    asked = TrainRequest.make(
        "alphazero",
        run=path,
        game="blob:players=3:1/4:1,cards=2",
        assignments=settings,
        environment={},
        iterations=iterations,
    )
    session = open_session(asked, lambda text: None)
    units = 0

    def stop_asked():
        nonlocal units
        units += 1
        session.run.cadence.seconds = 0.0
        session.run.cadence.share = 1.0
        if crash_at is not None and units > crash_at:
            raise Crash
        return False

    try:
        return Loop(session, asked, Sender(None), stop_asked).run()
    except Crash:
        return None
    finally:
        session.run.close()


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    path = tmp_path_factory.mktemp("deals") / "run"
    train(path, iterations=2)
    return path


def test_a_run_is_gated_over_deals(trained):
    for number, entry in enumerate(read_summary(trained)["iterations"]):
        gate = entry["gate"]
        assert gate["reason"] in ("deals", "deals_better", "deals_worse")
        assert gate["deals"] in (4, 8)
        assert gate["score_difference_low"] <= gate["mean_score_difference"]
        report = json.loads((trained / "reports" / f"gate_{number:06d}.json").read_text())
        assert report["promoted"] == entry["promoted"] == gate["promoted"]
        assert report["rank_expected"] == gate["rank_expected"] > 1.9
        assert len(report["per_seed"]) == gate["deals"]


def test_a_run_is_rated_by_openskill(trained):
    last = read_summary(trained)["iterations"][-1]["evaluate"]
    assert last["rating"]["rating_kind"] == "openskill"
    assert last["rating"]["start"] == 1000.0
    assert last["rating"]["elo_se"] is not None
    result = last["results"]["random"]
    assert result["deals"] == len(result["outcomes"]) == 5
    assert set(result["outcomes"]) <= set("WDL")
    assert 0.0 <= result["made"][0] <= 1.0
    assert "quarters" not in result
    assert "openskill" in rating_text(last["rating"])
    sha = last["model"]["sha256"]
    assert elo_of(read_summary(trained)["iterations"], sha) == last["rating"]["elo"]


def test_interruptions_change_neither_gate_nor_rating(trained, tmp_path):
    path = tmp_path / "run"
    for units in (7, 11, 13, 5, 9):
        train(path, iterations=2, crash_at=units)
    train(path, iterations=2)
    whole, broken = (read_summary(p)["iterations"] for p in (trained, path))
    for one, two in zip(whole, broken, strict=True):
        for name in ("gate", "evaluate"):
            drop = ("seconds", "started_ms", "finished_ms")
            assert {k: v for k, v in one[name].items() if k not in drop} == {
                k: v for k, v in two[name].items() if k not in drop
            }


def test_commands_take_such_a_run(trained, monkeypatch, capsys):
    monkeypatch.setattr(cli, "COMMAND_MODULES", ("match", "evaluate", "ladder"))
    assert cli.main(("match", str(trained), "rules", "--deals", "3", "--lanes", "1", "--json")) == 0
    report = json.loads(capsys.readouterr().out)
    assert (report["unit"], report["deals"]) == ("deal", 3)
    assert set(report["by_players"]) <= {"3", "4"}
    command = ("evaluate", str(trained), "--against", "random", "--deals", "3", "--lanes", "1")
    assert cli.main((*command, "--json")) == 0
    assert json.loads(capsys.readouterr().out)["matches"][0]["opponent"] == "random"
    assert cli.main(("ladder", str(trained))) == 2
    assert "a ladder is of pairs, and blob" in capsys.readouterr().err
