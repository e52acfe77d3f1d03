"""Small own games for tests: three in a row, a race with a die, three seats, a long walk."""

from __future__ import annotations

import dataclasses
import math
import weakref

import numpy as np

from ludus.games import Game, Symmetry

LINES = (
    *((0, 1, 2), (3, 4, 5), (6, 7, 8)),
    *((0, 3, 6), (1, 4, 7), (2, 5, 8)),
    *((0, 4, 8), (2, 4, 6)),
)


class TicTacToe(Game):
    """Three in a row on nine squares."""

    name = "tic_tac_toe"
    num_actions = 9
    observation_shape = (3, 3, 3)
    max_plies = 9
    recipe = {"model": {"hidden_dim": 32}}  # noqa: RUF012

    def initial(self):
        return (0, 0, 0)  # stones of seat 0 and of seat 1 as bits, and the seat to move

    def turn(self, state):
        if self.has_line(state[0]) or self.has_line(state[1]) or state[0] | state[1] == 511:
            return self.OVER
        return state[2]

    def legal(self, state):
        taken = state[0] | state[1]
        return [square for square in range(9) if not taken >> square & 1]

    def apply(self, state, action):
        stones = [state[0], state[1]]
        stones[state[2]] |= 1 << action
        return (stones[0], stones[1], 1 - state[2])

    def returns(self, state):
        won = int(self.has_line(state[0])) - int(self.has_line(state[1]))
        return [won, -won]

    def observe(self, state, seat):
        seen = np.zeros((3, 9), np.float32)
        for square in range(9):
            seen[0, square] = state[seat] >> square & 1
            seen[1, square] = state[1 - seat] >> square & 1
        seen[2] = state[2] == seat
        return seen.reshape(3, 3, 3)

    def text(self, state):
        cells = ["x" if state[0] >> i & 1 else "o" if state[1] >> i & 1 else "." for i in range(9)]
        return "\n".join(" ".join(cells[row : row + 3]) for row in (0, 3, 6))

    def action_text(self, state, action):
        return "abc"[action % 3] + str(action // 3 + 1)

    def symmetries(self):
        squares = np.arange(9).reshape(3, 3)
        turned = np.rot90(squares).ravel()
        flat = np.arange(27).reshape(3, 9)
        return [Symmetry(flat[:, turned].ravel(), np.argsort(turned))]

    @staticmethod
    def has_line(stones):
        return any(all(stones >> square & 1 for square in line) for line in LINES)


def cautious(game, state, rng):
    """Keeps what it has from ten points on."""
    return 1 if state[3] >= 4 else 0


class DiceRace(Game):
    """Throw and add, or bank; a one loses the turn. First to twelve points."""

    name = "dice_race"
    num_actions = 2  # 0 throws, 1 banks
    observation_shape = (5,)
    max_plies = 60
    max_outcomes = 6
    margin_scale = 6.0
    goal = 12
    players = {"cautious": cautious}  # noqa: RUF012

    def initial(self):
        return (0, 0, 0, 0, False, 0)  # points, points, seat, in hand, die in the air, decisions

    def turn(self, state):
        if max(state[:2]) >= self.goal or state[5] >= self.max_plies:
            return self.OVER
        return self.CHANCE if state[4] else state[2]

    def legal(self, state):
        return [0, 1] if state[3] else [0]

    def apply(self, state, action):
        one, two, seat, hand, _, count = state
        if action == 0:
            return (one, two, seat, hand, True, count + 1)
        points = [one, two]
        points[seat] += hand
        return (points[0], points[1], 1 - seat, 0, False, count + 1)

    def outcomes(self, state):
        return [(face, 1 / 6) for face in range(6)]

    def apply_outcome(self, state, outcome):
        one, two, seat, hand, _, count = state
        if outcome == 0:
            return (one, two, 1 - seat, 0, False, count)
        return (one, two, seat, hand + outcome + 1, False, count)

    def chance_seat(self, state):
        return state[2]

    def scores(self, state):
        return state[:2]

    def returns(self, state):
        lead = (state[0] > state[1]) - (state[0] < state[1])
        return [lead, -lead]

    def observe(self, state, seat):
        return [
            state[seat] / self.goal,
            state[1 - seat] / self.goal,
            state[3] / self.goal,
            float(state[4]),
            float(state[2] == seat),
        ]


class ThreeTakers(Game):
    """Eleven matches, three seats take one to three in turn; who takes the last one wins."""

    name = "three_takers"
    num_seats = 3
    num_actions = 3
    observation_shape = (14,)
    max_plies = 11

    def initial(self):
        return (11, 0)

    def turn(self, state):
        return state[1] if state[0] else self.OVER

    def legal(self, state):
        return range(min(3, state[0]))

    def apply(self, state, action):
        return (state[0] - action - 1, (state[1] + 1) % 3)

    def returns(self, state):
        winner = (state[1] - 1) % 3
        return [1.0 if seat == winner else -0.5 for seat in range(3)]

    def observe(self, state, seat):
        seen = np.zeros(14, np.float32)
        seen[state[0]] = 1.0
        seen[12] = (state[1] - seat) % 3 / 2
        seen[13] = seat / 2
        return seen


@dataclasses.dataclass(frozen=True)
class Place:
    """A state that can be watched."""

    steps: int
    seat: int
    mark: int


class Endless(Game):
    """Many different positions: a walk of forty steps of two kinds, all positions apart."""

    name = "endless"
    num_actions = 2
    observation_shape = (3,)
    max_plies = 40
    living: weakref.WeakSet = weakref.WeakSet()  # noqa: RUF012

    def initial(self):
        return self.watched(Place(0, 0, 1))

    def watched(self, place):
        self.living.add(place)
        return place

    def turn(self, state):
        return self.OVER if state.steps == self.max_plies else state.seat

    def legal(self, state):
        return [0, 1]

    def apply(self, state, action):
        return self.watched(Place(state.steps + 1, 1 - state.seat, 2 * state.mark + action))

    def returns(self, state):
        sign = 1 if state.mark.bit_count() % 2 else -1
        return [sign, -sign]

    def observe(self, state, seat):
        return [state.steps / 40, float(state.seat == seat), math.sin(state.mark % 997)]
