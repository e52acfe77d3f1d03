"""A game written in Python under the same tree: three in a row, 32 simulations, uniform evaluator.

Through lanes and slots as self-play does it, observations included; beside it Yatzy, whose rules
are compiled, the same way in the same turns. The goal is 20,000 simulations a second.
"""

# ruff: noqa: D102 - the methods of a game are explained where the protocol is

from __future__ import annotations

import numpy as np

from ludus import _core
from ludus.evaluators import UniformEvaluator
from ludus.games import Game
from ludus.games.own import make_entry
from ludus.measure import Figure, Goal, in_turns
from ludus.players import Lanes, SearchPlayer, slots_settings

GOAL = 20_000
SLOTS = 256
SIMULATIONS = 32
SLICE = 0.5
LINES = (0b111, 0b111000, 0b111000000, 0b1001001, 0b10010010, 0b100100100, 0b100010001, 0b1010100)
SQUARES = np.arange(9)


class TicTacToe(Game):
    """Three in a row, written as most would write it."""

    name = "bench_tic_tac_toe"
    num_actions = 9
    observation_shape = (2, 3, 3)
    max_plies = 9

    def initial(self):
        return (0, 0, 0)  # stones of both seats as bits, the seat to move

    def turn(self, state):
        if any(stones & line == line for line in LINES for stones in state[:2]):
            return self.OVER
        return self.OVER if state[0] | state[1] == 511 else state[2]

    def legal(self, state):
        taken = state[0] | state[1]
        return [square for square in range(9) if not taken >> square & 1]

    def apply(self, state, action):
        one, two, seat = state
        bit = 1 << action
        return (one | bit, two, 1) if seat == 0 else (one, two | bit, 0)

    def returns(self, state):
        for seat in (0, 1):
            if any(state[seat] & line == line for line in LINES):
                return [1, -1] if seat == 0 else [-1, 1]
        return [0, 0]

    def observe(self, state, seat):
        seen = np.array([state[seat] >> SQUARES & 1, state[1 - seat] >> SQUARES & 1], np.float32)
        return seen.reshape(2, 3, 3)


class _Play:
    """Games without end through one lane."""

    def __init__(self, rules: _core.Game) -> None:
        self._rules = rules
        self._games = 0
        player = SearchPlayer(
            UniformEvaluator(),
            {"simulations": [SIMULATIONS], "forced_fast_path": False, "temperature": [1.0]},
        )
        self.slots = _core.Slots(
            rules, slots=SLOTS, group_size=SLOTS, seed=1, players=[slots_settings(player)]
        )
        self._lanes = Lanes(self.slots, [player], rules, 1)

    def __call__(self) -> float:
        before = self.slots.counters()["simulations"]
        ids = np.arange(self._games, self._games + 40 * SLOTS)
        self._games += len(ids)
        seats = np.zeros((len(ids), self._rules.num_seats), np.int8)
        self.slots.schedule(ids, ids.astype(np.uint64), seats)
        self._lanes.advance(SLICE)
        self.slots.finished()
        return float(self.slots.counters()["simulations"] - before)

    def shares(self) -> dict[str, float]:
        """Where the time went, the rules in Python being part of the tree."""
        return {name: round(part, 3) for name, part in self._lanes.seconds.shares().items()}

    def close(self) -> None:
        self._lanes.close()


def measure(quick: bool) -> list[Figure]:
    """Simulations a second in Python's rules, and how much of the compiled rules' rate that is."""
    own = _Play(make_entry(TicTacToe(), "benchmark").rules)
    compiled = _Play(_core.game("yatzy"))
    try:
        figure = in_turns(
            "own game: three in a row in Python",
            "simulations/s",
            own,
            against=("yatzy in C++", compiled),
            quick=quick,
        )
    finally:
        own.close()
        compiled.close()
    counters = own.slots.counters()
    figure.goal = Goal(GOAL)
    figure.extra["phases"] = own.shares()
    figure.extra["positions_made_per_simulation"] = round(
        counters["positions_made"] / counters["simulations"], 2
    )
    figure.extra["positions_kept"] = counters["positions"]
    return [figure]
