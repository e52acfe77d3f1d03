"""Tic-tac-toe: the smallest complete game of one's own.

    ./ludus games check examples/tictactoe.py:TicTacToe
    ./ludus train --game examples/tictactoe.py:TicTacToe
    ./ludus play runs/tictactoe

Two seats place stones in turn on nine cells; three in a line win. Perfect play draws, and the
trained player never loses. It shows the least that a game must say (six methods) and two things
that are optional: the symmetries of the board and a drawing for people.

A state is a tuple ``(stones of seat 0, stones of seat 1, seat to move)``, where stones are nine
bits of an int. Small immutable states are both the fastest and the safest kind: nothing can change
them in place, and what can be looked up by nine bits is computed once, when the file is read.
"""

import numpy as np

from ludus.games import Game, Symmetry

FULL = 0b111_111_111
LINES = [7, 56, 448, 73, 146, 292, 273, 84]  # rows, columns, diagonals
WON = [any(line & stones == line for line in LINES) for stones in range(512)]
FREE = [[cell for cell in range(9) if not stones >> cell & 1] for stones in range(512)]
PLANE = [np.array([stones >> cell & 1 for cell in range(9)], np.float32) for stones in range(512)]


class TicTacToe(Game):
    """Three in a line on nine cells."""

    name = "tictactoe"
    num_actions = 9  # the cells, row by row
    observation_shape = (2, 3, 3)  # own stones, the other's stones
    max_plies = 9
    # A small network and a minute are enough. To play perfectly from everywhere it must have been
    # everywhere: noise at the root and moves drawn by visits lead to all positions. Once both
    # sides are perfect every game is a draw, which leaves a gate nothing to decide.
    recipe = {
        "run": {"total_iterations": 30},
        "model": {"hidden_dim": 64},
        "search": {"rule": "puct", "dirichlet_alpha": 1.0},
        "selfplay": {
            "games_per_iteration": 256,
            "slots": 128,
            "group_size": 64,
            "temperature": 1.0,
        },
        "training": {"steps_per_iteration": 120},
        "gating": {"enabled": False},
        "evaluation": {"every": 10},
    }

    def initial(self):
        """The empty board."""
        return (0, 0, 0)

    def turn(self, state):
        """Who moves; the game is over with a line of the one who moved last, or a full board."""
        first, second, seat = state
        if WON[first if seat else second] or first | second == FULL:
            return self.OVER
        return seat

    def legal(self, state):
        """The free cells, ascending."""
        return FREE[state[0] | state[1]]

    def apply(self, state, action):
        """A new state with one more stone."""
        first, second, seat = state
        stone = 1 << action
        return (first, second | stone, 0) if seat else (first | stone, second, 1)

    def returns(self, state):
        """1 for the winner and -1 for the loser, 0 for both in a draw."""
        if WON[state[0]]:
            return (1.0, -1.0)
        return (-1.0, 1.0) if WON[state[1]] else (0.0, 0.0)

    def observe(self, state, seat):
        """The board as a seat sees it: own stones first, so that both seats share what is learned.

        The network has no other way to know on which side it is.
        """
        return np.concatenate((PLANE[state[seat]], PLANE[state[1 - seat]])).reshape(2, 3, 3)

    # What follows is optional.

    def symmetries(self):
        """Turns and mirror images of the board, as permutations of observation and actions."""
        cells = np.arange(9).reshape(3, 3)
        images = [np.rot90(board, turns) for board in (cells, cells.T) for turns in range(4)]
        flat = [image.reshape(9) for image in images[1:]]  # without the board itself
        # Cell i of an image comes from cell image[i]; so action a goes where a is in it.
        return [Symmetry(np.concatenate((image, image + 9)), np.argsort(image)) for image in flat]

    def text(self, state):
        """The board with the numbers of free cells."""
        marks = [
            "X" if state[0] >> cell & 1 else "O" if state[1] >> cell & 1 else str(cell)
            for cell in range(9)
        ]
        return "\n".join(" ".join(marks[row : row + 3]) for row in (0, 3, 6))
