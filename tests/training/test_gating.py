"""Gates other than the recipe's: a fixed threshold, and the solitaire guardrail."""

import pytest
from tests.training.tiny import train

from ludus.errors import ConfigError
from ludus.runs import read_ndjson

THRESHOLD = ("gating.mode=threshold", "gating.max_pairs=8", "gating.guardrail_games=4")


def gate(path):
    records, _ = read_ndjson(path / "logs" / "metrics.ndjson")
    return next(record for record in records if record["event"] == "gate_summary")


@pytest.mark.parametrize(("threshold", "promoted"), [(0.0, True), (1.0, False)])
def test_a_threshold_decides_over_all_pairs(tmp_path, threshold, promoted):
    train(tmp_path / "run", *THRESHOLD, f"gating.threshold={threshold}", iterations=1)
    summary = gate(tmp_path / "run")
    assert summary["promoted"] is promoted
    assert summary["reason"] == "threshold" and summary["pairs"] == 8


@pytest.mark.parametrize(("delta", "reason"), [(1000, "threshold"), (0, "guardrail")])
def test_a_guardrail_refuses_what_fell_in_solitaire(tmp_path, monkeypatch, delta, reason):
    from ludus.arena import Guardrail

    seen = {}
    honest = Guardrail.summary

    def summary(self, allowed):
        # The tiny candidate may happen to be the better one: judged against 5 points more.
        seen.update(honest(self, allowed))
        seen["champion_mean"] = seen["candidate_mean"] + 5
        return {**seen, "passed": seen["candidate_mean"] >= seen["champion_mean"] - allowed}

    monkeypatch.setattr(Guardrail, "summary", summary)
    train(
        tmp_path / "run",
        *THRESHOLD,
        "gating.threshold=0.0",
        f"gating.guardrail_delta={delta}",
        iterations=1,
    )
    assert gate(tmp_path / "run")["reason"] == reason
    assert gate(tmp_path / "run")["promoted"] is (reason == "threshold")
    assert 40 < seen["candidate_mean"] < 250


def test_the_guardrail_goes_on_after_a_crash(tmp_path):
    whole, broken = tmp_path / "whole", tmp_path / "broken"
    more = (*THRESHOLD, "gating.threshold=0.0", "gating.guardrail_delta=1000")
    train(whole, *more, iterations=1)
    for crash in range(3, 40, 4):
        if train(broken, *more, crash_at=crash, commit_always=True, iterations=1) is not None:
            break
    train(broken, iterations=1)
    assert gate(broken)["guardrail"] == gate(whole)["guardrail"]
    assert gate(broken)["win_rate"] == gate(whole)["win_rate"]


def test_contradictory_gates_are_refused(tmp_path):
    with pytest.raises(ConfigError, match="h0"):
        train(tmp_path / "run", "gating.h0=0.6", "gating.h1=0.55", iterations=1)
