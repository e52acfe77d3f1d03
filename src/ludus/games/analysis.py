"""What a player says that can judge positions: lines of best play with their values.

A chooser (:data:`ludus.games.registry.Chooser`) that is also an :class:`Analyst` gives depth, value
and best line to whoever asks: graphical interfaces by way of ``ludus engine``.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

import numpy as np
import numpy.typing as npt

from ludus import _core


@dataclass(frozen=True)
class Limits:
    """What an analysis may use; the limit that is reached first ends it. None: no limit.

    Attributes:
        depth: plies to look ahead, at least 1.
        seconds: wall-clock time.
        stop: set by another thread: the answer is wanted now, with what is there.
    """

    depth: int | None = None
    seconds: float | None = None
    stop: threading.Event | None = None


@dataclass(frozen=True)
class Line:
    """An action, judged by the play that follows it.

    Attributes:
        actions: the action, and the best play after it as far as it is known.
        value: by how many points of the game the seat to move comes out ahead; None: not judged.
        depth: plies that were looked ahead; 0: none.
        exact: whether the value is that of perfect play to the end.
        nodes: positions looked at for this answer, all lines together.
    """

    actions: tuple[int, ...]
    value: float | None = None
    depth: int = 0
    exact: bool = False
    nodes: int = 0


def line_text(
    action_text: Callable[[_core.State, int], str], state: _core.State, line: Line
) -> str:
    """The play of a line, as the game writes its actions; to the next chance event at most.

    Args:
        action_text: of the game.
        state: where the line begins; it stays as it is.
        line: legal play from there.
    """
    at, words = state.copy(), list[str]()
    for action in line.actions:
        if at.kind != "decision":
            break
        words.append(action_text(at, action))
        at.apply(action)
    return " ".join(words)


Told = Callable[[Sequence[Line]], None]
"""Gets interim lines while an analysis goes on."""


@runtime_checkable
class Analyst(Protocol):
    """A chooser that says what it thinks."""

    def analyse(
        self, state: npt.NDArray[np.uint8], limits: Limits, lines: int = 1, tell: Told | None = None
    ) -> Sequence[Line]:
        """The best actions of a position.

        Args:
            state: the packed position, ``u8[state_size]``; a decision, perhaps a forced one.
            limits: in addition to those that the player has of itself. Without any, the first line
                begins with the action that the player would choose.
            lines: how many actions are wanted.
            tell: called with what is known so far, as often as the player likes.

        Returns: 1 to ``lines`` lines (fewer where there are fewer actions), best first.
        """
        ...
