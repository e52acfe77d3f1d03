"""How a game with hidden information is told to a person at its table."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from ludus import _core


@dataclass(frozen=True)
class Telling:
    """Texts of what happens, for one seat.

    All but :attr:`opened` hold only what that seat may know: they are the same for every world
    that it cannot tell from the true one.

    Attributes:
        dealt: a line on a deal, from the state after it and the seat that reads.
        happened: lines on an action, from the state before it, the action, the state after it and
            the seat that reads; none where the drawing of the table says it all.
        ended: lines on the result of a stage, from the state behind its last action and the seat
            that reads.
        knew: lines on what another seat could know when it acted, from the state before its
            action, the action and the seat that reads.
        opened: a line on what that seat held and could choose; only for stages that are over.
        value: a value in [-1, 1] in the game's units: ``7.2 points``.
        stage: what a stage is called.
    """

    dealt: Callable[[_core.State, int], str]
    happened: Callable[[_core.State, int, _core.State, int], list[str]]
    ended: Callable[[_core.State, int], list[str]]
    knew: Callable[[_core.State, int, int], list[str]]
    opened: Callable[[_core.State, int], str]
    value: Callable[[float], str]
    stage: str
