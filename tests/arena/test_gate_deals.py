"""The gate over duplicate deals: promotes the better, seldom the equal, however it is played."""

import json

import pytest
from tests.arena.test_duplicate import FOUR, LOW, keyed, wavering

from ludus import _core
from ludus.arena import Gate, GateSettings, MatchSettings, SeedSet
from ludus.errors import ConfigError, UserError
from ludus.players import RandomPlayer

RANDOM = RandomPlayer()


def gate(candidate, champion, *, deals=60, seed=1, match=None, **settings):
    return Gate(
        FOUR,
        candidate,
        champion,
        SeedSet.generate(seed, deals),
        GateSettings(mode="duplicate", deals=deals, **settings),
        match or MatchSettings(),
    )


def test_better_is_promoted_and_worse_is_not():
    up = gate(LOW, RANDOM).run()
    assert (up.promoted, up.reason) == (True, "deals")
    report = up.report()
    assert report["score_difference_bound"] > 0.0
    assert report["deals"] == len(report["per_seed"]) == 60
    assert report["settings"]["deals"] == 60
    json.dumps(report, allow_nan=False)
    down = gate(RANDOM, LOW).run()
    assert (down.promoted, down.reason) == (False, "deals")
    assert down.ratio is None


def test_share_of_deals_is_asked_where_it_is_set():
    won = gate(LOW, RANDOM).run().result.rate.rate
    assert gate(LOW, RANDOM, win_share=won).run().promoted
    assert not gate(LOW, RANDOM, win_share=won + 0.01).run().promoted


def test_looks_end_a_clear_gate_early():
    up = gate(LOW, RANDOM, looks=3).run()
    assert (up.promoted, up.reason, up.result.deals) == (True, "deals_better", 20)
    down = gate(RANDOM, LOW, looks=3).run()
    assert (down.promoted, down.reason, down.result.deals) == (False, "deals_worse", 20)
    # The share of deals is asked at every look.
    weaker = wavering(0.6)
    assert gate(LOW, weaker, looks=3).run().reason == "deals_better"
    late = gate(LOW, weaker, looks=3, win_share=0.99).run()
    assert (late.promoted, late.reason, late.result.deals) == (False, "deals", 60)


def test_equal_candidates_are_seldom_promoted():
    """Of 60 equal candidates about 3 are promoted; more than 9 would come once in 1000 series."""
    for looks in (1, 4):
        promoted = sum(
            gate(RANDOM, RANDOM, deals=40, seed=500 + seed, looks=looks).run().promoted
            for seed in range(60)
        )
        assert promoted <= 9


def test_decision_is_the_same_however_it_is_played():
    players = wavering(0.3), keyed("champion")
    reference = gate(*players, looks=4).run().report()
    assert reference["deals"] < 60
    for lanes, groups in ((2, 2), (1, 4)):
        how = MatchSettings(lanes=lanes, groups=groups)
        assert gate(*players, looks=4, match=how).run().report() == reference
    running, breaks = gate(*players, looks=4), 0
    while running.advance(0.005 if breaks else 0.001) is None:
        arrays, meta = running.state()
        assert running.progress()["unit"] == "deals"
        running.close()
        running = gate(*players, looks=4)
        running.restore(arrays, meta)
        breaks += 1
    running.close()
    assert breaks > 0
    assert running.decision.report() == reference
    assert running.progress()["seen"] == reference["deals"]


def test_settings_that_make_no_sense():
    with pytest.raises(ConfigError, match="looks = 61"):
        GateSettings(mode="duplicate", deals=60, looks=61)
    with pytest.raises(ConfigError, match="win_share"):
        GateSettings(mode="duplicate", win_share=1.5)
    with pytest.raises(ConfigError, match=r"blob has 8 seats.*'duplicate', not 'sprt'"):
        Gate(FOUR, RANDOM, RANDOM, SeedSet.generate(1, 1000))
    with pytest.raises(ConfigError, match="othello has 2 seats"):
        Gate(
            _core.game("othello"),
            RANDOM,
            RANDOM,
            SeedSet.generate(1, 400),
            GateSettings(mode="duplicate"),
        )
    with pytest.raises(UserError, match="60 seeds"):
        Gate(
            FOUR,
            RANDOM,
            RANDOM,
            SeedSet.generate(1, 60),
            GateSettings(mode="duplicate", deals=61),
        )
