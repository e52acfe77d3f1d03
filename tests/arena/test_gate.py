"""The gate: one decision, whatever the lanes, the slices and the kills."""

import json

import numpy as np
import pytest

from ludus import _core
from ludus.arena import Gate, GateSettings, Guardrail, MatchSettings, SeedSet, Solitaire
from ludus.errors import ConfigError, UserError
from ludus.players import ExternalPlayer, RandomPlayer, uniform_player

GAME = _core.game("yatzy")


def best_mark(states, keys):
    """Mark at once what gains the most points: far better than random."""
    out = []
    for packed in states:
        state = GAME.state(packed.tobytes())
        gains = []
        for action in state.legal():
            if action < 32:
                gains.append(-1.0)
                continue
            after = state.copy()
            after.apply(int(action))
            gains.append(float(after.scores().sum()))
        out.append(int(state.legal()[int(np.argmax(gains))]))
    return np.array(out, dtype=np.int32)


STRONG = ExternalPlayer(best_mark, "strong")
WEAK = RandomPlayer("weak")


def gate(candidate, champion, *, lanes=1, pairs=200, seed=1, match=None, **settings):
    return Gate(
        GAME,
        candidate,
        champion,
        SeedSet.generate(seed, pairs),
        GateSettings(pairs=pairs, **settings),
        match or MatchSettings(lanes=lanes),
    )


def test_better_is_promoted_and_worse_is_not():
    up = gate(STRONG, WEAK).run()
    assert (up.promoted, up.reason) == (True, "sprt_h1")
    assert up.result.pairs < 200
    assert up.ratio >= GateSettings().test().bounds[1]
    down = gate(WEAK, STRONG).run()
    assert (down.promoted, down.reason) == (False, "sprt_h0")
    assert down.result.wins < down.result.losses


def test_decision_depends_on_the_ordered_prefix_alone():
    reference = gate(STRONG, WEAK).run().report()
    assert reference["pairs"] == len(reference["per_seed"])
    for lanes, groups in ((2, 2), (1, 4), (3, 1)):
        other = gate(STRONG, WEAK, match=MatchSettings(lanes=lanes, groups=groups)).run()
        assert other.report() == reference


def keyed(states, keys):
    """Any legal action: rerolls or not, so that games last differently long."""
    chosen = []
    for packed, key in zip(states, keys, strict=True):
        legal = GAME.state(packed.tobytes()).legal()
        chosen.append(legal[int(key) % len(legal)])
    return np.array(chosen, dtype=np.int32)


def test_pairs_that_finish_early_wait_for_those_before_them():
    """Looked at after every turn, the gate sees pairs finish out of order, and does not care."""
    players = ExternalPlayer(keyed, "candidate"), ExternalPlayer(keyed, "champion")
    settings = {"pairs": 150, "null": 0.45, "alternative": 0.53}
    reference = gate(*players, **settings).run().report()
    for lanes in (1, 2):
        current = gate(*players, lanes=lanes, **settings)
        early = 0
        while (decision := current.advance(0.0)) is None:
            done = (current.match.table.points.reshape(-1, 2) >= 0).all(axis=1).sum()
            early = max(early, int(done) - current.match.pairs_finished)
        current.close()
        assert early > 5
        assert decision.report() == reference


def test_killed_gates_decide_alike():
    reference = gate(uniform_player({"simulations": [4]}), WEAK, pairs=150).run().report()
    turns = breaks = 0
    current = gate(uniform_player({"simulations": [4]}), WEAK, pairs=150)
    while (decision := current.advance(0.0)) is None:
        turns += 1
        if turns % 20:
            continue
        arrays, meta = current.state()
        meta = json.loads(json.dumps(meta))  # it goes through a state object
        current.close()
        current = gate(uniform_player({"simulations": [4]}), WEAK, pairs=150, lanes=1 + breaks % 2)
        current.restore(arrays, meta)
        breaks += 1
    current.close()
    assert breaks >= 2
    assert decision.report() == reference
    assert current.advance(1.0) is decision


def test_restored_after_the_decision_it_is_the_same():
    first = gate(STRONG, WEAK)
    decision = first.run()
    arrays, meta = first.state()
    again = gate(STRONG, WEAK)
    again.restore(arrays, meta)
    assert again.advance(1.0).report() == decision.report()
    again.close()


def test_undecided_is_promoted_at_half_or_more():
    # A player against itself: every pair is split, and at few pairs nothing is proven.
    even = gate(STRONG, ExternalPlayer(best_mark, "same"), pairs=60).run()
    assert (even.reason, even.promoted, even.result.rate.rate) == ("cap", True, 0.5)
    strict = gate(STRONG, ExternalPlayer(best_mark), pairs=60, undecided=0.51).run()
    assert (strict.reason, strict.promoted) == ("cap", False)


def test_threshold_mode_plays_all_pairs():
    decision = gate(STRONG, WEAK, pairs=40, mode="threshold").run()
    assert (decision.reason, decision.promoted, decision.result.pairs) == ("threshold", True, 40)
    assert decision.ratio is None
    refused = gate(WEAK, ExternalPlayer(best_mark), pairs=40, mode="threshold").run()
    assert not refused.promoted
    # The win rate may suffice where the score difference is not yet certain.
    certain = gate(STRONG, WEAK, pairs=40, mode="threshold", score_confidence=1e6).run()
    assert not certain.promoted


def suite(player, policy_id):
    return Solitaire(GAME, player, STRONG, games=40, policy_id=policy_id)


def guarded(candidate, champion_mean, champion=None, delta=5.0):
    return Gate(
        GAME,
        candidate,
        WEAK,
        SeedSet.generate(1, 200),
        GateSettings(pairs=200, guardrail_delta=delta),
        guardrail=Guardrail(suite(candidate, "candidate"), champion, champion_mean),
    )


def test_guardrail_can_refuse_a_promotion():
    refused = guarded(STRONG, champion_mean=1000.0).run()
    assert (refused.promoted, refused.reason) == (False, "guardrail")
    assert refused.guardrail["passed"] is False
    assert refused.guardrail["champion_mean"] == 1000.0
    passed = guarded(STRONG, None, champion=suite(WEAK, "champion")).run()
    assert (passed.promoted, passed.reason) == (True, "sprt_h1")
    assert passed.guardrail["candidate_mean"] > passed.guardrail["champion_mean"]
    assert passed.report()["guardrail"]["passed"] is True
    # Who loses the match plays no solitaire.
    lost = Gate(
        GAME,
        WEAK,
        STRONG,
        SeedSet.generate(1, 200),
        GateSettings(pairs=200, guardrail_delta=5.0),
        guardrail=Guardrail(suite(WEAK, "candidate"), None, 100.0),
    ).run()
    assert lost.guardrail is None


def test_guarded_gate_goes_on_after_a_kill():
    reference = guarded(STRONG, None, champion=suite(WEAK, "champion")).run().report()
    current = guarded(STRONG, None, champion=suite(WEAK, "champion"))
    while (decision := current.advance(0.0)) is None:
        arrays, meta = current.state()
        current.close()
        current = guarded(STRONG, None, champion=suite(WEAK, "champion"))
        current.restore(arrays, meta)
        for _ in range(20):
            if current.advance(0.005) is not None:
                break
    current.close()
    assert decision.report() == reference


def test_report_has_the_fields():
    """Y-108, Y-206, Y-218, Y-219."""
    running = gate(STRONG, WEAK)
    decision = running.run()
    report = decision.report(oracle={"oracle_keepall_ignored": 3})
    json.dumps(report, allow_nan=False)
    for key in (
        "wins",
        "losses",
        "draws",
        "win_rate",
        "win_rate_low",
        "win_rate_high",
        "mean_score_difference",
        "score_difference_se",
        "distinct_games",
        "pentanomial",
        "promoted",
        "reason",
        "settings",
    ):
        assert key in report
    assert report["schema"] == "ludus_gate_report_v1"
    assert report["gating"]["seeds_hash"] == SeedSet.generate(1, 200).hash
    assert report["oracle"] == {"oracle_keepall_ignored": 3}
    assert report["sprt"]["llr"] == decision.ratio
    assert sum(report["pentanomial"]) == report["pairs"]
    progress = running.progress()
    assert progress["seen"] == report["pairs"]
    assert progress["win_rate"] == pytest.approx(report["win_rate"])
    assert progress["llr"] == pytest.approx(decision.ratio)
    assert "per_seed" not in decision.summary()


def test_bad_settings():
    with pytest.raises(ConfigError, match="mode"):
        GateSettings(mode="coin")
    with pytest.raises(ConfigError, match="null < alternative"):
        GateSettings(null=0.6)
    with pytest.raises(ConfigError, match="pairs"):
        GateSettings(pairs=0)
    with pytest.raises(UserError, match="has 10 seeds"):
        Gate(GAME, STRONG, WEAK, SeedSet.generate(1, 10), GateSettings(pairs=20))
    with pytest.raises(ConfigError, match="guardrail_delta"):
        Gate(
            GAME, STRONG, WEAK, SeedSet.generate(1, 10), GateSettings(pairs=5, guardrail_delta=1.0)
        )
