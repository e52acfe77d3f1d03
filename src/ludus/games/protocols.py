"""What protocols of game engines must know of a game: ``GameEntry.protocols`` by protocol name.

A protocol speaks of actions in the words of ``GameEntry.action_text`` and ``parse_action``; here is
the rest. See :mod:`ludus.players.engines` for the protocols themselves.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from ludus import _core


@dataclass(frozen=True)
class GtpGame:
    """A game as the Go Text Protocol, version 2, plays it.

    Attributes:
        name: of ``list_games`` and ``set_game``.
        size: of ``boardsize``.
        colours: of the seats; their first letters mean the same.
        passing: the action of ``pass``; it is legal only where no other action is.
        moves_left: the most actions that the seat to move still has to choose, this one included.
        way: actions that lead from the start to a position; the protocol has no other way to set
            one up. Raises :class:`~ludus.errors.GameError` where none is found.
    """

    name: str
    size: int
    colours: tuple[str, ...]
    passing: int
    moves_left: Callable[[_core.State], int]
    way: Callable[[_core.State], list[int]]


@dataclass(frozen=True)
class NBoardRecord:
    """A game that NBoard's ``set game`` hands over.

    Attributes:
        start: the position that it begins with.
        actions: those played since, passes included.
        clocks: seconds that each seat has left; None where the game has no clock.
    """

    start: _core.State
    actions: tuple[int, ...]
    clocks: tuple[float, ...] | None


@dataclass(frozen=True)
class NBoardGame:
    """A game as the NBoard protocol plays it: positions and games are written in GGF.

    Attributes:
        passing: the action of ``PA``; it is legal only where no other action is.
        moves_left: the most actions that the seat to move still has to choose, this one included.
        word: an action in the two characters of the protocol.
        read: a game from one line of text. Raises :class:`~ludus.errors.GameError`.
        write: one line: a game that begins in this position and goes on with these actions, each
            seat with so many seconds for the whole game.
    """

    passing: int
    moves_left: Callable[[_core.State], int]
    word: Callable[[int], str]
    read: Callable[[str], NBoardRecord]
    write: Callable[[_core.State, Sequence[int], float], str]
