"""Connect Four: a board game with a convolutional network.

    ./ludus games check examples/connect_four.py:ConnectFour
    ./ludus train --game examples/connect_four.py:ConnectFour
    ./ludus match runs/connect_four careful
    ./ludus play runs/connect_four

Two seats drop stones into seven columns of six cells; four in a line win. It shows what a board
game needs to learn well: planes instead of a flat list, a residual tower, a mirror symmetry, and a
player of its own to be measured against.

Stones are bits of an int, seven bits a column of which the top one stays empty (the classic layout
of J. Tromp). A line is found with three shifts and three ANDs for all places at once, and a stone
falls by adding one to its column: no loop over cells anywhere.
"""

from typing import NamedTuple

import numpy as np

from ludus.games import Game, Symmetry

ROWS, COLUMNS = 6, 7
HEIGHT = ROWS + 1  # bits a column: the seventh keeps lines from running into the next column
TOP = [1 << (HEIGHT * column + ROWS - 1) for column in range(COLUMNS)]
CELLS = [((1 << ROWS) - 1) << (HEIGHT * column) for column in range(COLUMNS)]
BOTTOM = [1 << (HEIGHT * column) for column in range(COLUMNS)]
DIRECTIONS = (1, HEIGHT, HEIGHT - 1, HEIGHT + 1)  # up, right, right and down, right and up
NEAREST_CENTRE = (3, 2, 4, 1, 5, 0, 6)


class Board(NamedTuple):
    """A state: the stones of the seat that moved before, those of the seat to move, stones at all.

    Who moves follows from the number of stones, and only the last mover can have a line.
    """

    waiting: int = 0
    moving: int = 0
    plies: int = 0


def has_line(stones):
    """Whether four stones stand in a line."""
    for step in DIRECTIONS:
        pairs = stones & stones >> step
        if pairs & pairs >> 2 * step:
            return True
    return False


def planes(stones):
    """Bits as ``f32[ROWS, COLUMNS]``, the top row first."""
    bits = np.frombuffer(stones.to_bytes(8, "little"), np.uint8)
    columns = np.unpackbits(bits, count=HEIGHT * COLUMNS, bitorder="little")
    return columns.reshape(COLUMNS, HEIGHT).T[ROWS - 1 :: -1]


def careful(game, board, random):
    """Win if possible, do not lose at once, stay near the middle."""
    legal = [column for column in NEAREST_CENTRE if column in game.legal(board)]
    for column in legal:
        if has_line(game.apply(board, column).waiting):
            return column
    passed = Board(board.moving, board.waiting, board.plies)
    for column in legal:  # where the other would win if one passed: take that cell
        if has_line(game.apply(passed, column).waiting):
            return column
    return legal[0] if random.random() < 0.7 else random.choice(legal)


class ConnectFour(Game):
    """Four in a line on a board that stands upright."""

    name = "connect_four"
    num_actions = COLUMNS
    observation_shape = (2, ROWS, COLUMNS)  # own stones, the other's stones
    max_plies = ROWS * COLUMNS
    players = {"careful": careful}
    recipe = {
        # Lines are local and may be anywhere: what 3x3 convolutions are made for.
        "model": {"kind": "residual_tower", "channels": 64, "num_blocks": 5},
        "selfplay": {
            "games_per_iteration": 256,
            "slots": 128,
            "group_size": 64,
            "temperature": {"kind": "step", "clock": "ply", "start": 1.0, "end": 0.25, "over": 12},
        },
        "training": {"steps_per_iteration": 100},
        "gating": {"max_pairs": 60, "opening_plies": 6},
    }

    def initial(self):
        """The empty board."""
        return Board()

    def turn(self, board):
        """Seat 0 begins; a line of the last mover or a full board ends it."""
        if board.plies == self.max_plies or has_line(board.waiting):
            return self.OVER
        return board.plies % 2

    def legal(self, board):
        """The columns with room."""
        taken = board.waiting | board.moving
        return [column for column in range(COLUMNS) if not taken & TOP[column]]

    def apply(self, board, column):
        """A stone falls: adding to the lowest cell of a column carries to the first free one."""
        taken = board.waiting | board.moving
        stone = (taken + BOTTOM[column]) & ~taken & CELLS[column]
        return Board(board.moving | stone, board.waiting, board.plies + 1)

    def returns(self, board):
        """Only who moved last can have won."""
        if not has_line(board.waiting):
            return (0.0, 0.0)
        return (-1.0, 1.0) if board.plies % 2 == 0 else (1.0, -1.0)

    def observe(self, board, seat):
        """Own stones, then the other's: both seats look at the board from their own side."""
        own, other = board.moving, board.waiting
        if seat != board.plies % 2:
            own, other = other, own
        return np.stack((planes(own), planes(other))).astype(np.float32)

    # What follows is optional.

    def symmetries(self):
        """Left and right may be exchanged."""
        cells = np.arange(2 * ROWS * COLUMNS).reshape(self.observation_shape)
        return [Symmetry(cells[:, :, ::-1].reshape(-1), np.arange(COLUMNS)[::-1])]

    def text(self, board):
        """The board, X for the seat that began."""
        own, other = planes(board.moving), planes(board.waiting)
        first, second = (own, other) if board.plies % 2 == 0 else (other, own)
        rows = [
            " ".join("X" if x else "O" if o else "." for x, o in zip(*row, strict=True))
            for row in zip(first, second, strict=True)
        ]
        return "\n".join([*rows, " ".join(map(str, range(COLUMNS)))])
