"""Players of Blob without a network: rules of thumb and flat Monte Carlo over worlds."""

from __future__ import annotations

import time

import numpy as np
import numpy.typing as npt
import pytest

from ludus import _core
from ludus.errors import GameError, PlayerError
from ludus.games import blob_players

SPEC = "blob:players=4-5,cards=1-5"


def decisions(spec: str, games: int, seed: int = 0) -> npt.NDArray[np.uint8]:
    """All decisions of random games, ``u8[n, state_size]``."""
    rules = _core.game(spec)
    rng = np.random.default_rng(seed)
    found = []
    for game in range(games):
        state = rules.initial()
        state.apply_outcome(state.draw(1000 * seed + game))
        while state.kind == "decision":
            found.append(np.frombuffer(state.packed(), np.uint8))
            state.apply(int(rng.choice(state.legal())))
    return np.stack(found)


def keys(count: int, seed: int = 1) -> npt.NDArray[np.uint64]:
    """Keys of decisions, ``u64[n]``."""
    return np.random.default_rng(seed).integers(0, 2**63, count, dtype=np.uint64)


@pytest.mark.parametrize("name", ["rules", "montecarlo"])
def test_choices_are_legal_and_repeat(name: str) -> None:
    rules = _core.game(SPEC)
    states = decisions(SPEC, 30)
    options = {"worlds": "4"} if name == "montecarlo" else {}
    choose = blob_players.players(rules)[name](options)
    chosen = choose(states, keys(len(states)))
    assert chosen.dtype == np.int32
    for row, action in zip(states, chosen, strict=True):
        assert action in rules.state(row.tobytes()).legal()
    np.testing.assert_array_equal(choose(states, keys(len(states))), chosen)
    # A decision's answer does not depend on its neighbours.
    one = choose(states[7:8], keys(len(states))[7:8])
    assert one[0] == chosen[7]


def test_monte_carlo_counts_and_common_worlds() -> None:
    rules = _core.game(SPEC)
    states = decisions(SPEC, 10)
    player = blob_players.MonteCarlo.of(rules, {"worlds": "6", "playouts": "2"})
    assert player.noise == blob_players.NOISE
    actions, means, worlds, playouts = player.means(states, keys(len(states)))
    for i, row in enumerate(states):
        legal = rules.state(row.tobytes()).legal()
        assert np.flatnonzero(~np.isnan(means[i])).tolist() == legal.tolist()
        assert worlds[i] == (6 if len(legal) > 1 else 0)
        assert playouts[i] == 2 * worlds[i] * len(legal) * (len(legal) > 1)
        assert actions[i] == np.nanargmax(means[i])
        assert np.nanmax(np.abs(means[i])) <= 1.0


def test_monte_carlo_by_the_clock_stays_near_its_time() -> None:
    rules = _core.game("blob:players=5,cards=5")
    states = decisions("blob:players=5,cards=5", 1)[:1]
    player = blob_players.MonteCarlo.of(rules, {"ms": "40"})
    start = time.monotonic()
    _, _, worlds, _ = player.means(states, keys(1))
    assert 0.03 < time.monotonic() - start < 1.0
    assert worlds[0] > 1


def test_monte_carlo_beats_the_rules_that_it_plays_out_with() -> None:
    """Duplicate rounds: the same deal with and without one seat that looks further."""
    rules = _core.game("blob:players=4,cards=4")
    entries = blob_players.players(rules)
    thumb, searcher = entries["rules"]({}), entries["montecarlo"]({"worlds": "30"})
    deals = [(deal, seat) for deal in range(60) for seat in range(4)]

    def points(heroes: bool) -> float:
        states = [rules.initial() for _ in deals]
        for state, (deal, _) in zip(states, deals, strict=True):
            state.apply_outcome(state.draw(deal))
        for ply in range(20):
            packed = np.stack([np.frombuffer(s.packed(), np.uint8) for s in states])
            chosen = thumb(packed, keys(len(states), ply))
            mine = [i for i, (_, seat) in enumerate(deals) if heroes and states[i].seat == seat]
            if mine:
                chosen[mine] = searcher(packed[mine], keys(len(mine), ply))
            for state, action in zip(states, chosen.tolist(), strict=True):
                state.apply(action)
        return float(
            np.mean([s.scores()[seat] for s, (_, seat) in zip(states, deals, strict=True)])
        )

    assert points(heroes=True) > points(heroes=False) + 0.3


@pytest.mark.parametrize(
    ("name", "options", "sentence"),
    [
        ("rules", {"depth": "2"}, "player rules has no option 'depth': it has none"),
        (
            "montecarlo",
            {"depth": "2"},
            "its options are worlds, playouts, ms, policy, noise",
        ),
        ("montecarlo", {"worlds": "0"}, "option worlds=0 must be a number from 1"),
        ("montecarlo", {"worlds": "8", "ms": "5"}, "by worlds or by ms, not by both"),
        ("montecarlo", {"policy": "best"}, "option policy=best must be rules or random"),
        ("montecarlo", {"noise": "2"}, "option noise=2 must be a number from 0 to 1"),
    ],
)
def test_bad_options(name: str, options: dict[str, str], sentence: str) -> None:
    make = blob_players.players(_core.game("blob"))[name]
    with pytest.raises(PlayerError, match=sentence):
        make(options)


def test_bad_positions() -> None:
    rules = _core.game(SPEC)
    choose = blob_players.players(rules)["rules"]({})
    with pytest.raises(GameError, match="Position 0 is no decision"):
        choose(np.frombuffer(rules.initial().packed(), np.uint8)[None], keys(1))
    with pytest.raises(GameError, match=f"has {rules.state_size} bytes, not 7"):
        choose(np.zeros((1, 7), np.uint8), keys(1))
    with pytest.raises(GameError, match="This is for Blob, not for yatzy"):
        _core.blob_rules_choose(_core.game("yatzy"), np.zeros((1, 16), np.uint8))
