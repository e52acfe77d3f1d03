"""Own games in Python that break: what is told, and who notices."""

from __future__ import annotations

import math
import re
from pathlib import Path

import numpy as np
import pytest
from tests.games.own_play import play, rules_of, searcher
from tests.games.small_games import DiceRace, TicTacToe

from ludus import _core
from ludus.errors import GameError
from ludus.evaluators import LeafBatch, UniformEvaluator
from ludus.games import Game
from ludus.games.own import make_entry
from ludus.players import ExternalPlayer, RandomPlayer
from ludus.players.single import SingleGame


class Fragile(TicTacToe):
    """Three in a row that breaks when seat 0 has the squares 0 and 8."""

    name = "fragile"
    where = "apply"

    def trip(self, where, stones):
        if where == self.where and stones & 0b100000001 == 0b100000001:
            raise RuntimeError("no such luck")  # the line that the sentence must name

    def apply(self, state, action):
        after = super().apply(state, action)
        self.trip("apply", after[0])
        return after

    def observe(self, state, seat):
        self.trip("observe", state[0])
        return super().observe(state, seat)

    def legal(self, state):
        self.trip("legal", state[0])
        return super().legal(state)


LINE = 1 + Path(__file__).read_text("utf-8").splitlines().index(
    '            raise RuntimeError("no such luck")  # the line that the sentence must name'
)


@pytest.mark.parametrize("where", ["apply", "observe", "legal"])
@pytest.mark.parametrize("inflight", [1, 4])
def test_a_failing_game_ends_alone_and_names_its_line(where, inflight):
    game = Fragile()
    game.where = where
    players = [searcher(3, max_inflight=inflight, temperature=[1.0]), RandomPlayer()]
    healthy, _ = play(make_entry(TicTacToe(), "tests").rules, players, 200)
    records, board = play(make_entry(game, "tests").rules, players, 200)
    failed = board.counters()["failed"]
    assert 5 < failed < 195
    assert len(records["game_id"]) == 200 - failed
    # Those that went on are the games of the sound rules, to the bit.
    plies = np.concatenate([[0], np.cumsum(healthy["plies"])])
    mine = np.concatenate([[0], np.cumsum(records["plies"])])
    for at, number in enumerate(records["game_id"].tolist()):
        for column in ("action", "root_value", "q_variance", "seat"):
            theirs = healthy[column][plies[number] : plies[number + 1]]
            assert np.array_equal(records[column][mine[at] : mine[at + 1]], theirs)
    failures = board.failures()
    assert len(failures) == min(failed, 16)
    missing = set(range(200)) - set(records["game_id"].tolist())
    assert {number for number, _ in failures} <= missing
    expected = f"{__file__}:{LINE}: RuntimeError: no such luck (in fragile.{where}())."
    assert {text for _, text in failures} == {expected}


def test_rows_of_a_failed_game_are_padding_again():
    """The leaf batch of a slot whose game failed holds zeros and its neighbours' rows stay."""
    game = Fragile()
    game.where = "observe"
    rules = make_entry(game, "tests").rules
    board = _core.Slots(
        rules,
        slots=64,
        group_size=64,
        seed=1,
        players=[{"simulations": [60], "max_inflight": 4, "forced_fast_path": False}],
    )
    board.schedule(np.arange(64), np.arange(64, dtype=np.uint64), np.zeros((64, 2), np.int8))
    batch = LeafBatch.allocate(rules, board.rows, board.legal_capacity)
    board.bind(0, 0, batch.observations, batch.seats, batch.legal, batch.offsets)
    failed = 0
    for _ in range(200):
        if not board.collect(0, 0):
            break
        empty = np.flatnonzero(np.diff(batch.offsets) == 0)
        assert not batch.observations[empty].any()
        assert not batch.legal[batch.offsets[-1] :].any()
        filled = np.flatnonzero(np.diff(batch.offsets))
        assert (
            batch.legal[: batch.offsets[-1]] // 9
            == np.repeat(filled, np.diff(batch.offsets)[filled])
        ).all()
        assert not any(Fragile.trips(row) for row in batch.observations[filled])
        UniformEvaluator().evaluate(batch)
        board.supply(0, 0, batch.logits, batch.values)
        failed = board.counters()["failed"]
    assert failed > 0


def _trips(row):
    """Whether an observation is one that observe() refuses to make."""
    planes = row.reshape(3, 9)
    mover_is_zero = planes[:2].sum(axis=1)
    zero = planes[0] if mover_is_zero[0] == mover_is_zero[1] else planes[1]
    return bool(zero[0] and zero[8])


Fragile.trips = staticmethod(_trips)


def test_outside_players_and_a_person_meet_the_sentence():
    game = Fragile()
    rules = make_entry(game, "tests").rules

    def lowest(states, keys):
        order = [0, 8, 1, 2, 3, 4, 5, 6, 7]
        return np.array(
            [next(a for a in order if a in rules.state(row.tobytes()).legal()) for row in states],
            np.int32,
        )

    records, board = play(rules, [ExternalPlayer(lowest), RandomPlayer()], 40)
    assert board.counters()["failed"] + len(records["game_id"]) == 40
    assert board.counters()["failed"] > 5
    table = SingleGame(rules, [None, None], 1)
    for action in (0, 1):
        assert table.advance()
        table.play(action)
    assert table.advance()
    table.play(8)
    with pytest.raises(GameError, match=rf"{LINE}: RuntimeError: no such luck"):
        table.advance()


def test_an_interrupt_is_no_failure():
    class Interrupted(TicTacToe):
        def apply(self, state, action):
            if state[0] | state[1]:
                raise KeyboardInterrupt
            return super().apply(state, action)

    rules = make_entry(Interrupted(), "tests").rules
    state = rules.initial()
    state.apply(1)
    with pytest.raises(KeyboardInterrupt):
        state.apply(2)
    board = _core.Slots(rules, slots=64, group_size=64, seed=1, players=[{"simulations": [4]}])
    board.schedule(np.arange(4), np.arange(4, dtype=np.uint64), np.zeros((4, 2), np.int8))
    with pytest.raises(KeyboardInterrupt):
        board.run_uniform(1000)
    assert board.counters()["failed"] == 0
    assert board.failures() == []


class Vague:
    def __repr__(self):
        return "a vague thing"


BROKEN = {
    "initial is None": (dict(initial=lambda s: None), "initial\\(\\) returned None"),
    "turn is text": (dict(turn=lambda s, x: "me"), "turn\\(\\) returned 'me'; it must be a seat"),
    "turn is a seat too many": (dict(turn=lambda s, x: 2), "turn\\(\\) returned 2; .* 0..1"),
    "chance that was not announced": (dict(turn=lambda s, x: -1), "set max_outcomes"),
    "legal is empty": (dict(legal=lambda s, x: []), "at least one action"),
    "legal is no sequence": (dict(legal=lambda s, x: 5), "legal\\(\\) returned 5; .* sequence"),
    "legal holds text": (dict(legal=lambda s, x: ["a"]), "actions in 0..8"),
    "legal beyond": (dict(legal=lambda s, x: [3, 9]), "\\[3, 9\\]; it must be actions in 0..8"),
    "legal below": (dict(legal=lambda s, x: [-1, 3]), "actions in 0..8"),
    "legal descends": (dict(legal=lambda s, x: [3, 1]), "ascending"),
    "legal twice": (dict(legal=lambda s, x: [3, 3]), "ascending"),
    "too many legal": (dict(max_legal=4), "returned 9 actions; max_legal is 4"),
    "apply gives None": (dict(apply=lambda s, x, a: None), "apply\\(\\) returned None"),
    "apply gives the same": (dict(apply=lambda s, x, a: x), "the state that it was given"),
    "returns too long": (dict(returns=lambda s, x: [0, 0, 0]), "2 finite numbers in -1..1"),
    "returns too large": (dict(returns=lambda s, x: [2, -2]), "returns\\(\\) returned \\[2, -2\\]"),
    "returns NaN": (dict(returns=lambda s, x: [math.nan, 0]), "finite numbers"),
    "returns text": (dict(returns=lambda s, x: "ab"), "finite numbers"),
    "goes on for ever": (dict(max_plies=3), "goes on after 3 decisions; max_plies"),
    "flat observation": (
        dict(observe=lambda s, x, seat: np.zeros(27, np.float32)),
        "shape \\(27,\\); it must be numbers of the shape \\(3, 3, 3\\)",
    ),
    "observation of words": (
        dict(observe=lambda s, x, seat: Vague()),
        "observe\\(\\) returned a vague thing; it must be numbers of the shape",
    ),
    "observation not finite": (
        dict(observe=lambda s, x, seat: np.full((3, 3, 3), np.inf)),
        "finite numbers",
    ),
    "an import of its own": (
        dict(observe=lambda s, x, seat: {}["key"]),
        "test_own_faults.py:\\d+: KeyError: 'key' \\(in broken.observe",
    ),
}


@pytest.mark.parametrize("name", BROKEN)
def test_what_breaks_the_protocol_is_told(name):
    methods, sentence = BROKEN[name]
    broken = type("Broken", (TicTacToe,), {"name": "broken", **methods})
    rules = make_entry(broken(), "tests").rules
    records, board = play(rules, [searcher(12)], 6, slots=64)
    assert len(records["game_id"]) == 0
    assert board.counters()["failed"] == 6
    for _, text in board.failures():
        assert re.search(sentence, text), text
        assert text.endswith(".")


CHANCY = {
    "probabilities": (lambda s, x: [(0, 0.5), (1, 0.4)], "sum to 0.9"),
    "negative": (lambda s, x: [(0, 1.5), (1, -0.5)], "above 0 and at most at 1"),
    "outside": (lambda s, x: [(0, 0.5), (6, 0.5)], "outcome lies in 0..5"),
    "twice": (lambda s, x: [(0, 0.5), (0, 0.5)], "each of them once"),
    "none": (lambda s, x: [], "at least one"),
    "no pairs": (lambda s, x: [0, 1], "pairs \\(outcome, probability\\)"),
    "no number": (lambda s, x: [(0, "half"), (1, 0.5)], "above 0 and at most at 1"),
}


@pytest.mark.parametrize("name", CHANCY)
def test_outcomes_are_looked_at(name):
    outcomes, sentence = CHANCY[name]
    broken = type("Broken", (DiceRace,), {"name": "broken", "outcomes": outcomes})
    state = rules_of(broken).initial()
    with pytest.raises(GameError, match=sentence):
        state.apply(0)


def test_chance_after_chance_is_refused():
    class Twice(DiceRace):
        def apply_outcome(self, state, outcome):
            return (*state[:4], True, state[5])

    state = rules_of(Twice).initial()
    state.apply(0)
    with pytest.raises(GameError, match="another chance event; merge"):
        state.apply_outcome(3)


def test_what_is_forgotten_is_asked_for():
    class Undecided(DiceRace):
        outcomes = Game.outcomes

    state = rules_of(Undecided).initial()
    with pytest.raises(GameError, match="so it must define outcomes"):
        state.apply(0)


def test_hidden_information_is_refused_by_the_search():
    class Hidden(TicTacToe):
        hidden = True

    rules = rules_of(Hidden)
    assert rules.has_hidden
    with pytest.raises(GameError, match="rules in Python cannot draw worlds for a search"):
        _core.Slots(rules, slots=64, group_size=64, seed=1, players=[{"simulations": [4]}])
    records, _ = play(rules, [RandomPlayer()], 10, slots=64)
    assert len(records["game_id"]) == 10
