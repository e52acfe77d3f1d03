"""Pattern tables and TD(lambda) a second time, slowly: boards as lists, weights as dictionaries.

Numbers are rounded as the core rounds them, so both have the same bits. Knows nothing of index
vectors, folding, stages in caches, batches in lanes. Symmetry is had by brute force: an entry is
named by the least of the contents that a pattern's symmetries make.
"""

from __future__ import annotations

import math
from collections import defaultdict
from dataclasses import dataclass, field

import numpy as np
from tests.twins.othello_twin import OthelloTwin

NEUTRAL, DISC, PASS = 32768, 256, 64
MARKS = " XO"
f32 = np.float32


def position(cells: list[int], side: int) -> OthelloTwin:
    """The rules' twin of a board: 64 cells, 0 empty, 1 black, 2 white."""
    discs = {(i % 8, i // 8): MARKS[cell] for i, cell in enumerate(cells) if cell}
    return OthelloTwin(discs, MARKS[side])


def cells_of(twin: OthelloTwin) -> list[int]:
    """Its 64 cells."""
    return [MARKS.index(twin.discs.get((i % 8, i // 8), " ")) for i in range(64)]


def start() -> list[int]:
    """The board of the start."""
    return cells_of(OthelloTwin())


def moves(cells: list[int], side: int) -> list[int]:
    """Squares on which `side` may put a disc."""
    return position(cells, side).moves(MARKS[side])


def after(cells: list[int], side: int, square: int) -> list[int]:
    """The board after a move."""
    twin = position(cells, side)
    twin.apply(square)
    return cells_of(twin)


def difference(cells: list[int], side: int) -> int:
    """Discs of `side` less the other's at the end, empty squares to the winner."""
    black = position(cells, side).difference()
    return black if side == 1 else -black


def images(square: int) -> list[int]:
    """The square under the eight symmetries."""
    file, rank = square % 8, square // 8
    out = []
    for a, b in ((file, rank), (rank, file)):
        out += [8 * y + x for x in (a, 7 - a) for y in (b, 7 - b)]
    return out


def known(cells: list[int], side: int) -> int | None:
    """The score for `side`, which is to move, where the rules know it: at the end, and where one
    move takes all discs of the other."""
    if side not in cells or 0 not in cells:
        return difference(cells, side)
    wins = any(3 - side not in after(cells, side, square) for square in moves(cells, side))
    return 64 if wins else None


class Pattern:
    """One pattern: its placements, and the name of an entry for a board."""

    def __init__(self, squares: list[int]) -> None:
        every = [list(column) for column in zip(*(images(s) for s in squares), strict=True)]
        self.squares = squares
        self.placements: list[list[int]] = []
        for placed in every:
            if sorted(placed) not in [sorted(p) for p in self.placements]:
                self.placements.append(placed)
        self.selves = [
            [squares.index(s) for s in placed]
            for placed in every
            if sorted(placed) == sorted(squares)
        ]

    def contents(self, cells: list[int], side: int, placed: list[int]) -> int:
        """The number in base 3 that `side` sees there."""
        seen = [0 if cells[s] == 0 else 1 if cells[s] == side else 2 for s in placed]
        return sum(digit * 3**i for i, digit in enumerate(seen))

    def least(self, contents: int) -> int:
        """The name of the entry that contents share with their mirror images."""
        digits = [contents // 3**i % 3 for i in range(len(self.squares))]
        return min(sum(digits[i] * 3 ** to[i] for i in range(len(to))) for to in self.selves)


@dataclass
class Entry:
    """A weight in discs with Adam's moments."""

    weight: np.float32 = field(default_factory=lambda: f32(0))
    first: np.float32 = field(default_factory=lambda: f32(0))
    second: np.float32 = field(default_factory=lambda: f32(0))
    steps: int = 0
    updates: int = 0


@dataclass
class Learner:
    """TD(lambda) with Adam on a set of patterns."""

    patterns: list[Pattern]
    trace_lambda: float
    cut: bool
    clip: float
    rate: float
    beta1: float = 0.9
    beta2: float = 0.999
    epsilon: float = 1e-8
    entries: dict[tuple[int, int, int], Entry] = field(default_factory=lambda: defaultdict(Entry))

    def names(self, cells: list[int], side: int) -> list[tuple[int, int, int]]:
        """(stage, pattern, least contents) of every instance."""
        stage = min(29, (64 - cells.count(0) - 4) // 2)
        return [
            (stage, i, pattern.least(pattern.contents(cells, side, placed)))
            for i, pattern in enumerate(self.patterns)
            for placed in pattern.placements
        ]

    def table(self, name: tuple[int, int, int]) -> int:
        """The 16 bits that the table has."""
        return math.floor(self.entries[name].weight * f32(DISC) + f32(NEUTRAL + 0.5))

    def score(self, cells: list[int], side: int) -> int:
        """In 1/256 disc for `side`, which is to move."""
        return sum(self.table(name) - NEUTRAL for name in self.names(cells, side))

    def move_value(self, cells: list[int], side: int, square: int) -> np.float32:
        """Of a move, in discs for who makes it."""
        board = after(cells, side, square)
        exact = known(board, 3 - side)
        if exact is not None:
            return f32(-exact)
        return f32(-self.score(board, 3 - side) / DISC)

    def errors(self, actions: list[int]) -> list[tuple[list[tuple[int, int, int]], np.float32]]:
        """(names of the leaf, error for the side that moved) of the learned moves, in order."""
        cells, side = start(), 1
        steps = []
        for action in actions:
            if action != PASS:
                values = {s: self.move_value(cells, side, s) for s in moves(cells, side)}
                best = max(values.values())
                greedy = action == next(s for s in values if values[s] == best)
                cells = after(cells, side, action)
                learns = known(cells, 3 - side) is None
                names = self.names(cells, 3 - side) if learns else []
                steps.append((side, best, values[action], greedy, names))
            side = 3 - side
        share, clip = f32(self.trace_lambda), f32(self.clip)
        target, out = f32(0), []
        for t in reversed(range(len(steps))):
            mover, _, value, _, names = steps[t]
            if t == len(steps) - 1:
                target = f32(difference(cells, mover))
            else:
                later, best, _, greedy, _ = steps[t + 1]
                blend = (f32(1) - share) * best + share * target
                target = best if self.cut and not greedy else blend
                target = target if later == mover else -target
            if names:
                out.append((names, min(clip, max(-clip, target - value))))
        return out[::-1]

    def learn(self, errors: list[tuple[list[tuple[int, int, int]], np.float32]]) -> None:
        """One batch: a step of Adam for each entry, along the mean over its visits."""
        sums: dict[tuple[int, int, int], list[np.float32]] = defaultdict(list)
        for names, error in errors:
            for name in names:
                sums[name].append(error)  # downhill, in the view of the other side
        b1, b2, rate = f32(self.beta1), f32(self.beta2), f32(self.rate)
        for name, gradients in sums.items():
            entry = self.entries[name]
            gradient = sum(gradients, f32(0)) / f32(len(gradients))
            entry.steps += 1
            entry.updates += len(gradients)
            entry.first = b1 * entry.first + (f32(1) - b1) * gradient
            entry.second = b2 * entry.second + (f32(1) - b2) * gradient * gradient
            power1, power2 = float(b1) ** entry.steps, float(b2) ** entry.steps
            start_up = f32(math.sqrt(1 - power2) / (1 - power1))
            root = np.sqrt(entry.second) + f32(self.epsilon)
            entry.weight = entry.weight - rate * start_up * entry.first / root
