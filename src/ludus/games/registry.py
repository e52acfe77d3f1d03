"""The games of the house, by name.

A game is one file of rules in C++, one module here with a function ``entry() -> GameEntry``, one
page of documentation, and one line in :data:`MODULES`. No other file names it.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cache
from typing import Any

import numpy as np
import numpy.typing as npt

from ludus import _core
from ludus.errors import GameError

MODULES: Mapping[str, str] = {
    "yatzy": "ludus.games.yatzy",
}
"""Name of the game -> module; imported when the game is asked for."""

Chooser = Callable[[npt.NDArray[np.uint8], npt.NDArray[np.uint64]], npt.NDArray[np.int32]]
"""Packed states ``u8[n, state_size]`` and random keys ``u64[n]`` in, legal actions out."""


@dataclass(frozen=True)
class Symmetry:
    """A way to turn or mirror a game so that it stays the same game.

    Attributes:
        observation: int[observation size]; the mirrored observation, flat, is
            ``flat[observation]``: entry i comes from entry ``observation[i]``.
        action: int[num_actions]; action a of a position is ``action[a]`` in the mirrored one.
    """

    observation: npt.NDArray[np.intp]
    action: npt.NDArray[np.intp]


@dataclass(frozen=True)
class GameEntry:
    """A game as the rest of Ludus knows it.

    Attributes:
        name: the name in the registry.
        title: one line for lists.
        rules: the compiled rules.
        render: a drawing of a state for a terminal, several lines without a final newline.
        action_text: an action as people write it; ``parse_action`` reads it back.
        parse_action: an action from text or from its number. Raises :class:`GameError`.
        position_text: a state in one compact line; ``parse_position`` reads it back exactly.
        parse_position: a state from such a line. Raises :class:`GameError`.
        event_text: the outcome of a chance event (state before it, outcome) for records.
        players: players that only this game has; each maker takes the options of a specification
            and returns a chooser. Raises :class:`~ludus.errors.PlayerError` for unknown options.
        about_players: one line on each of them.
        suites: what measures a player of this game, by name. Known names: ``opponent`` (no
            arguments, the name of the player that solitaire suites play against), ``bonus``
            (final states ``u8[n, state_size]``, seats ``i32[n]`` -> bool[n]), ``best_actions``,
            ``action_values`` and ``judge`` (see :mod:`ludus.games.yatzy_oracle`).
        symmetries: ways to turn or mirror the game, the identity left out.
    """

    name: str
    title: str
    rules: _core.Game
    render: Callable[[_core.State], str]
    action_text: Callable[[_core.State, int], str]
    parse_action: Callable[[_core.State, str], int]
    position_text: Callable[[_core.State], str]
    parse_position: Callable[[str], _core.State]
    event_text: Callable[[_core.State, int], str]
    players: Mapping[str, Callable[[Mapping[str, str]], Chooser]] = field(default_factory=dict)
    about_players: Mapping[str, str] = field(default_factory=dict)
    suites: Mapping[str, Callable[..., Any]] = field(default_factory=dict)
    symmetries: tuple[Symmetry, ...] = ()


def game_names() -> list[str]:
    """Names of all games."""
    return list(MODULES)


@cache
def get_game(name: str) -> GameEntry:
    """The game of that name.

    Raises:
        GameError: there is none; the sentence lists those that there are.
    """
    if name not in MODULES:
        raise GameError(f"there is no game {name!r}; the games are: {', '.join(MODULES)}")
    entry: GameEntry = importlib.import_module(MODULES[name]).entry()
    return entry
