"""The conformance kit: real games pass, and each way of breaking one is caught and named."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

from ludus import _core
from ludus.evaluators import ScriptedEvaluator, UniformEvaluator
from ludus.players.player import ExternalPlayer, RandomPlayer, SearchPlayer
from ludus.testing import check_chooser, check_evaluator, check_game, check_player


@pytest.mark.parametrize(
    "name",
    [
        *_core.game_names(),
        "blob:players=3,cards=13",
        "blob:players=8,cards=1-6,dealer=free",
        "blob:play=games,players=3,highest=3",
    ],
)
def test_every_game_of_the_house_conforms(name):
    check_game(_core.game(name), games=12 if name in _core.game_names() else 2)


# ---- broken games -----------------------------------------------------------


class Broken:
    """Yatzy with one method replaced; `breaks` maps a name to f(state, *arguments)."""

    def __init__(self, facts=None, source="yatzy", **breaks):
        self._game = _core.game(source)
        self._facts, self.breaks = facts or {}, breaks

    def __getattr__(self, name):
        return self._facts[name] if name in self._facts else getattr(self._game, name)

    def initial(self):
        return BrokenState(self, self._game.initial())

    def state(self, packed):
        return BrokenState(self, self._game.state(packed))


class BrokenState:
    def __init__(self, rules, inner):
        self.rules, self.inner = rules, inner

    def __getattr__(self, name):
        if name in self.rules.breaks:
            broken = self.rules.breaks[name]
            if not callable(broken):
                return broken
            return lambda *arguments: broken(self.inner, *arguments)
        return getattr(self.inner, name)

    def sample_world(self, seat, seed):
        drawn = self.rules.breaks.get("sample_world", lambda s, *at: s.sample_world(*at))
        found = drawn(self.inner, seat, seed)
        world, rejected = found if isinstance(found, tuple) else (found, 0)
        return BrokenState(self.rules, world), rejected

    def copy(self):
        if "copy" in self.rules.breaks:
            return self.rules.breaks["copy"](self)
        return BrokenState(self.rules, self.inner.copy())


def _apply_anything(state, action):
    state.apply(action if action in state.legal() else int(state.legal()[-1]))


def _apply_late_refusal(state, action):
    """Refuses, but only after it has changed the position."""
    if action not in state.legal():
        state.apply(int(state.legal()[0]))
        raise ValueError("illegal")
    state.apply(action)


_ticks = itertools.count()

BREAKS = {
    "unsorted": ({"legal": lambda s: s.legal()[::-1].copy()}, "ascending"),
    "illegal search actions": ({"search_actions": lambda s: s.legal()[:-1] + 1}, "illegal actions"),
    "canonical": (
        {"canonical": lambda s, a: int(s.search_actions()[0]) if a < 32 else a},
        "canonical",
    ),
    "equal search actions": (
        {"search_actions": lambda s: s.legal(), "canonical": lambda s, a: a},
        "max_legal|same effect",
    ),
    "accepts illegal actions": ({"apply": _apply_anything}, "must raise"),
    "changes on refusal": ({"apply": _apply_late_refusal}, "changed"),
    "shared copies": ({"copy": lambda s: s}, "changed the original"),
    "probabilities": (
        {"outcomes": lambda s: (s.outcomes()[0], s.outcomes()[1] * 0.9)},
        "sum to 0.8999",
    ),
    "frequencies": (
        {
            "outcomes": lambda s: (
                s.outcomes()[0],
                np.full(len(s.outcomes()[0]), 1 / len(s.outcomes()[0])),
            )
        },
        "deviations",
    ),
    "draw without memory": ({"draw": lambda s, seed: s.draw(next(_ticks))}, "depend on the seed"),
    "draw always the same": ({"draw": lambda s, seed: s.draw(7)}, "same outcome"),
    "not zero-sum": ({"returns": lambda s: np.abs(s.returns()) + 1e-3}, "sum to 0|leaves"),
    "returns in points": ({"returns": lambda s: s.returns() * s.scores()}, "leaves"),
    "margins of the other": ({"margins": lambda s: -s.margins()}, "who won"),
    "observation of NaN": ({"observe": lambda s, seat: s.observe(seat) * np.nan}, "NaN"),
    "observation of another shape": ({"observe": lambda s, seat: s.observe(seat)[1:]}, "float32"),
    "observation from outside": (
        {"observe": lambda s, seat: s.observe(seat) + np.float32(next(_ticks))},
        "outside the position",
    ),
    "one key": ({"key": lambda s: 1}, "key"),
    "lossy packing": ({"packed": lambda s: b"\0" * 16}, "."),
    "returns before the end": ({"returns": lambda s: np.zeros(2, np.float32)}, "before the end"),
}


@pytest.mark.parametrize("name", BREAKS)
def test_a_broken_game_is_caught(name):
    breaks, says = BREAKS[name]
    with pytest.raises(AssertionError, match=says):
        check_game(Broken(**breaks), games=2)


def test_the_wrapper_itself_conforms():
    check_game(Broken(), games=1)


@pytest.mark.parametrize(
    ("facts", "says"),
    [
        ({"max_plies": 20}, "did not end"),
        ({"max_legal": 10}, "max_legal"),
        ({"state_size": 8}, "state_size"),
        ({"has_chance": False}, "has_chance"),
        ({"decision_kinds": ["reroll"]}, "decision_kind"),
        ({"has_hidden": True}, "sample_world"),
        ({"num_actions": 40}, "leaves"),
    ],
)
def test_a_wrong_fact_is_caught(facts, says):
    with pytest.raises(AssertionError, match=says):
        check_game(Broken(facts), games=2)


def test_hidden_information_must_not_show():
    """A game that calls its own dice hidden: worlds with other dice give other observations."""

    def other_world(state, seat, seed):
        world = state.game.initial()
        if state.kind == "decision":
            world.apply_outcome((seed * 41 + 3) % 252)
        return world

    keys = {"private_key": lambda s, seat: 0}
    game = Broken({"has_hidden": True}, sample_world=other_world, **keys)
    with pytest.raises(AssertionError, match="cannot see"):
        check_game(game, games=1)
    check_game(
        Broken({"has_hidden": True}, sample_world=lambda s, seat, seed: s.copy(), **keys), games=1
    )


HIDDEN = {
    "a world with another own hand": (
        {
            "sample_world": lambda s, seat, seed: s.sample_world(
                seat if seat >= s.players else (seat + 1) % s.players, seed
            )
        },
        "cannot see",
    ),
    "a world without memory": (
        {"sample_world": lambda s, seat, seed: s.sample_world(seat, next(_ticks))},
        "another world each time",
    ),
    "a key of the whole table": ({"private_key": lambda s, seat: s.key()}, "tell apart"),
    "a key of nothing": ({"private_key": lambda s, seat: 0}, "sees differently"),
    "an observation of all hands": (
        {"observe": lambda s, seat: s.observe(seat) + np.float32(s.private_key(0) % 97)},
        "observe|empty seat",
    ),
    "points of an empty seat": ({"scores": lambda s: np.ones(8, np.float32)}, "beyond the"),
    "worlds of an empty seat": (
        {"sample_world": lambda s, seat, seed: s.sample_world(min(seat, s.players - 1), seed)},
        "empty seat",
    ),
    "a draw without memory": ({"draw": lambda s, seed: s.draw(next(_ticks))}, "depend on the seed"),
    "one deal": ({"draw": lambda s, seed: s.draw(3)}, "same outcome"),
    "any outcome": ({"is_outcome": lambda s, outcome: True}, "is_outcome"),
    "a listing": ({"outcomes": lambda s: (np.zeros(1, np.int32), np.ones(1))}, "only sampled"),
    "an empty seat's turn": ({"players": 2}, "empty seat"),
}


@pytest.mark.parametrize("name", HIDDEN)
def test_a_broken_game_with_hidden_cards_is_caught(name):
    breaks, says = HIDDEN[name]
    with pytest.raises(AssertionError, match=says):
        check_game(Broken(source="blob:players=3,cards=3", **breaks), games=2)


def test_the_wrapper_of_hidden_cards_conforms():
    check_game(Broken(source="blob:players=3,cards=3"), games=2)


# ---- evaluators and players -------------------------------------------------

GAME = _core.game("yatzy")


def test_evaluators():
    check_evaluator(UniformEvaluator(), GAME)
    calls = itertools.count()

    def script(batch, *, logit=0.0, value=0.0, drift=0.0, neighbours=False, write=False):
        batch.logits.fill(logit + drift * next(calls))
        batch.values.fill(value)
        if neighbours:
            batch.values += np.tanh(batch.observations.mean())
        if write:
            batch.observations += 1

    for wrong, says in (
        ({"value": 1.5}, "leaves"),
        ({"logit": float("nan")}, "logit"),
        ({"drift": 1.0}, "second time"),
        ({"neighbours": True}, "neighbours"),
        ({"write": True}, "inputs"),
    ):

        class Wrong:
            weights_id = "wrong"

            def evaluate(self, batch, wrong=wrong):
                script(batch, **wrong)

        with pytest.raises(AssertionError, match=says):
            check_evaluator(Wrong(), GAME)
    check_evaluator(ScriptedEvaluator(script), GAME)


def _last_legal(states, keys):
    return np.array([GAME.state(row.tobytes()).legal()[-1] for row in states], np.int32)


def test_players():
    check_player(RandomPlayer(), GAME, games=8)
    check_player(ExternalPlayer(_last_legal), GAME, games=8)
    search = {"simulations": [3], "temperature": [1.0]}
    check_player(SearchPlayer(UniformEvaluator(), search), GAME, games=8)


def test_broken_choosers_are_caught():
    ticks = itertools.count()
    for choose, says in (
        (lambda states, keys: np.full(len(states), 31, np.int32), "illegal"),
        (lambda states, keys: _last_legal(states, keys)[:-1], "one integer"),
        (
            lambda states, keys: (
                np.array(
                    [GAME.state(r.tobytes()).legal()[next(ticks) % 2] for r in states], np.int32
                )
                if len(states) > 30 or next(ticks)
                else np.zeros(0, np.int32)
            ),
            "same keys|illegal|other positions|out of bounds",
        ),
    ):
        with pytest.raises((AssertionError, IndexError), match=says):
            check_chooser(choose, GAME)
