"""Asks an own game, and says where and in which method it went wrong."""

from __future__ import annotations

import traceback
from typing import Any

import numpy as np

from ludus.games import Game
from ludus.testing.say import require
from ludus.testing.states import difference, snapshot


class Position:
    """A state of a playout, with a copy that shows whether somebody changes it."""

    def __init__(self, game: Game, state: Any) -> None:
        """Copy the state as it is now."""
        self.state = state
        self._game = game
        self._copy = snapshot(state, game)

    def change(self) -> str | None:
        """What has changed since, in words; None if nothing has."""
        return difference(self._copy, self.state)


class Referee:
    """Calls the methods of a game on behalf of the kit.

    Attributes:
        game: the rules.
        seed: of the playouts.
        where: what is looked at now, for sentences.
    """

    def __init__(self, game: Game, seed: int) -> None:
        """Nothing has been looked at yet."""
        self.game = game
        self.seed = seed
        self.where = "facts"

    def at(self, playout: int, ply: int) -> None:
        """Say where the next questions are asked; plies count decisions."""
        self.where = f"ply {ply} of playout {playout} (seed {self.seed})"

    def require(self, holds: bool, wrong: str) -> None:
        """Raise AssertionError "<game>, <where>: <wrong>." unless ``holds``."""
        name = getattr(self.game, "name", "") or type(self.game).__name__
        require(name, self.where, holds, wrong)

    def position(self, state: Any, method: str) -> Position:
        """A state that a method gave."""
        self.require(
            state is not None,
            f"{method} gave None: it must return the new state (is a return missing?)",
        )
        return Position(self.game, state)

    def call(self, method: str, *arguments: Any) -> Any:
        """What a method answers; an exception is told with the line that raised it."""
        try:
            return getattr(self.game, method)(*arguments)
        except Exception as error:  # noqa: BLE001 - whatever a game raises is what is told
            self.failed(f"{method}()", error)

    def failed(self, what: str, error: Exception) -> None:
        """Say that something raised, and in which line."""
        frames = traceback.extract_tb(error.__traceback__)
        line = f" ({frames[-1].filename}, line {frames[-1].lineno})" if len(frames) > 1 else ""
        text = " ".join(str(error).split())
        self.require(False, f"{what} raised {type(error).__name__}: {text}{line}")

    def ask(self, method: str, position: Position, *arguments: Any) -> Any:
        """What a method answers about a state, which must stay as it was."""
        answer = self.call(method, position.state, *arguments)
        change = position.change()
        self.require(
            change is None,
            f"{method}() changed the state it was given ({change}): states are values, so work "
            "on a copy, as in board = list(state.board)",
        )
        return answer


def is_int(value: Any) -> bool:
    """Whether something is a whole number; True and False are none."""
    return isinstance(value, int | np.integer) and not isinstance(value, bool)
