"""Othello a second time: a dictionary of squares, one direction after the other."""

from __future__ import annotations

from dataclasses import dataclass, field

DIRECTIONS = [(1, 0), (-1, 0), (0, 1), (0, -1), (1, 1), (1, -1), (-1, 1), (-1, -1)]


@dataclass
class OthelloTwin:
    """A position.

    Attributes:
        discs: ``"X"`` or ``"O"`` by (file, rank), both from 0.
        mover: ``"X"`` or ``"O"``.
    """

    discs: dict[tuple[int, int], str] = field(
        default_factory=lambda: {(3, 3): "O", (4, 3): "X", (3, 4): "X", (4, 4): "O"}
    )
    mover: str = "X"

    def turned(self, square, mover):
        """Squares whose discs turn if ``mover`` puts one on ``square``."""
        if square in self.discs:
            return []
        found = []
        for step in DIRECTIONS:
            line = []
            at = (square[0] + step[0], square[1] + step[1])
            while self.discs.get(at, mover) != mover:
                line.append(at)
                at = (at[0] + step[0], at[1] + step[1])
            if at in self.discs:
                found += line
        return found

    def moves(self, mover):
        """Legal squares of a side as numbers, ascending."""
        squares = [(file, rank) for rank in range(8) for file in range(8)]
        return [8 * y + x for x, y in squares if self.turned((x, y), mover)]

    @property
    def other(self):
        return "O" if self.mover == "X" else "X"

    def legal(self):
        """Actions: squares, or the pass; none at the end."""
        return self.moves(self.mover) or ([64] if self.moves(self.other) else [])

    def apply(self, action):
        if action != 64:
            square = (action % 8, action // 8)
            for turned in [*self.turned(square, self.mover), square]:
                self.discs[turned] = self.mover
        self.mover = self.other

    def text(self):
        """As ludus.games.othello_position writes it."""
        squares = "".join(self.discs.get((i % 8, i // 8), "-") for i in range(64))
        return f"{squares} {self.mover}"

    def difference(self):
        """Discs of X less those of O, empty squares for the winner."""
        counts = [list(self.discs.values()).count(side) for side in "XO"]
        ahead = counts[0] - counts[1]
        empty = 64 - sum(counts)
        return ahead + (empty if ahead > 0 else -empty if ahead < 0 else 0)
