"""Othello positions as Python sees them: discs, squares by name, one line of text.

Position text, 64 squares from a1, b1, ... to h8 and the side to move::

    ---------------------------OX------XO--------------------------- X

``X`` is a black disc, ``O`` a white one, ``-`` an empty square; the letter behind is the side to
move, at the end of a game the one that would have been. This is the form of the published endgame
test sets.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass
from typing import Final

from ludus import _core
from ludus.errors import GameError

PASS: Final = 64
"""The action; actions below are squares."""

SQUARES: Final = tuple(f"{file}{rank}" for rank in range(1, 9) for file in "abcdefgh")
"""Names of the squares; number 0 is a1, 1 is b1, 63 is h8."""

PASS_WORDS: Final = ("pass", "pa", "ps", "--")
"""How people and files write a pass, in small letters."""

SIDES: Final = ("black", "white")
"""By seat."""

START: Final = "-" * 27 + "OX------XO" + "-" * 27 + " X"
"""The first position of every game."""

_PACKED = struct.Struct("=QQQBB6x")
_BLACK, _WHITE, _EMPTY = frozenset("Xx*Bb●"), frozenset("OoWw○"), frozenset("-._")


@dataclass(frozen=True)
class Discs:
    """A position, unpacked; sets of squares are integers whose bit i is square i.

    Attributes:
        black: squares with a black disc.
        white: squares with a white disc.
        moves: squares on which the side to move may put a disc.
        seat: to move, 0 is black; at the end of a game, who would have been.
        over: whether the game has ended.
    """

    black: int
    white: int
    moves: int
    seat: int
    over: bool

    @classmethod
    def of(cls, state: _core.State) -> Discs:
        """Of a state of Othello."""
        black, white, moves, seat, over = _PACKED.unpack(state.packed())
        return cls(black, white, moves, seat, bool(over))

    @property
    def counts(self) -> tuple[int, int]:
        """Black and white discs on the board."""
        return self.black.bit_count(), self.white.bit_count()


def position_text(state: _core.State) -> str:
    """The state in one line (see the module)."""
    discs = Discs.of(state)
    squares = "".join(
        "X" if discs.black >> i & 1 else "O" if discs.white >> i & 1 else "-" for i in range(64)
    )
    return f"{squares} {'XO'[discs.seat]}"


def parse_position(text: str) -> _core.State:
    """The state of a line such as :func:`position_text` writes.

    ``*`` and ``B`` are black discs too, ``W`` white ones, ``.`` and ``_`` empty squares, letters of
    either case; spaces and line ends between squares do not matter.

    Raises:
        GameError: the text has another length or other characters, or no game can come to this
            position; the sentence names the square.
    """
    found = "".join(text.split())
    if len(found) != 65:
        raise GameError(
            f"an Othello position has 64 squares (X, O or -) and the side to move (X or O), 65 "
            f"characters in all, not {len(found)}"
        )
    black = white = 0
    for i, char in enumerate(found[:64]):
        if char in _BLACK:
            black |= 1 << i
        elif char in _WHITE:
            white |= 1 << i
        elif char not in _EMPTY:
            raise GameError(f"square {SQUARES[i]} is {char!r}; it must be X, O or -")
    side = found[64]
    if side not in _BLACK | _WHITE:
        raise GameError(f"the side to move is {side!r}; it must be X (black) or O (white)")
    return _core.othello_state(black, white, int(side in _WHITE))


def illegal(state: _core.State, action: int) -> str | None:
    """Why an action is illegal in a position, as half a sentence; None where it is legal."""
    discs = Discs.of(state)
    if discs.over:
        return "the game is over; there is nothing to decide"
    if action == PASS:
        can = "passing is legal only when no disc can be put, and here one can"
        return can if discs.moves else None
    if not 0 <= action < PASS:
        return f"action {action} does not exist; actions are 0..64"
    if discs.moves >> action & 1:
        return None
    if not discs.moves:
        return f"{SIDES[discs.seat]} must pass"
    if (discs.black | discs.white) >> action & 1:
        return "the square is taken"
    return "a disc there turns no other"
