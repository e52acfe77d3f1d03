"""The games: those of the house by name, others by where they are.

A game is one file of rules in C++, one module here with a function ``entry() -> GameEntry``, one
page of documentation, and one line in :data:`MODULES`. No other file names it.

A game may have options, which stand behind its name: ``name:option=value,option=value``. Its module
then has ``OPTIONS``, what each of them means in the order in which they are written, and a function
``entry(options: str = "") -> GameEntry`` that gets the text behind the colon.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from typing import Any

import numpy as np
import numpy.typing as npt

from ludus import _core
from ludus.errors import GameError
from ludus.games.formats import RecordFormat
from ludus.games.game import Game, Symmetry
from ludus.games.telling import Telling
from ludus.games.tokens import TokenLayout

MODULES: Mapping[str, str] = {
    "blob": "ludus.games.blob",
    "othello": "ludus.games.othello",
    "yatzy": "ludus.games.yatzy",
}
"""Name of the game -> module; imported when the game is asked for."""

Chooser = Callable[[npt.NDArray[np.uint8], npt.NDArray[np.uint64]], npt.NDArray[np.int32]]
"""Packed states ``u8[n, state_size]`` and random keys ``u64[n]`` in, legal actions out."""


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
        sparring: the player that a person meets when none is named, as a specification.
        suites: what measures a player of this game, by name. Known names: ``opponent`` (no
            arguments, the name of the player that solitaire suites play against), ``bonus``
            (final states ``u8[n, state_size]``, seats ``i32[n]`` -> bool[n]), ``best_actions``,
            ``action_values`` and ``judge`` (see :mod:`ludus.games.yatzy_oracle`).
        values_are: what ``action_values`` are, for people.
        picture: a drawing of a state as an ``<svg>`` element, or None.
        formats: game records in the world's formats, by the end of a file's name (``.ggf``).
        record_of: a game as the record that ``formats`` write, from its actions, the names of
            its players by seat and the outcomes of its chance events in order; None where there
            are no formats.
        source: what :func:`get_game` finds the game again by, in another process and from another
            directory: its name, with its options where some were given, or the absolute path of
            its file with the class.
        recipe: settings that a training of this game wants otherwise than its recipe, nested by
            section.
        own: the object of a game written in Python; None for those of the house.
        protocols: what protocols of game engines must know, by protocol; see
            :mod:`ludus.games.protocols`.
        symmetries: ways to turn or mirror the game, the identity left out.
        has_scores: whether the game has points apart from who wins.
        points_are: what they are called.
        fixed_total: points of all seats together at the end of every game; None where that differs.
        openings: lines that matches begin with, ``u16[n, plies]`` of actions: games without chance
            between two players who always choose alike would be one game. None for games that
            need none.
        tables: makes a player of pattern tables: arrays, their description and options in, a
            chooser out. None for games that have none. Raises PlayerError for options.
        players_of_a_game: how many seats a game may have, ascending, all at most
            ``rules.num_seats``; left out: always so many.
        units: what the game consists of for those who train and measure, in the plural: ``games``,
            or what its stages are called where each is a unit by itself, such as ``rounds``.
        view: a drawing for a terminal of what one seat sees, or of everything for None; left out
            where nothing is hidden, and :attr:`render` draws for everybody.
        telling: what a person at the table is told of a game with hidden information; left out
            for others, whose actions and events everybody may read.
        for_people: the specification that a person plays who names the game without options;
            left out: the game as it is.
        tokens: how observations are cut into tokens, for networks of kind ``token_transformer``;
            None for games that do not say.
        cap_plies: length at which a game is cut off instead of ended by its rules; None where that
            does not happen.
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
    sparring: str = "random"
    suites: Mapping[str, Callable[..., Any]] = field(default_factory=dict)
    values_are: str = "Expected points still to come"
    picture: Callable[[_core.State], str] | None = None
    formats: Mapping[str, RecordFormat] = field(default_factory=dict)
    record_of: Callable[[Sequence[int], Sequence[str], Sequence[int]], Any] | None = None
    source: str = ""
    recipe: Mapping[str, Any] = field(default_factory=dict)
    own: Game | None = None
    protocols: Mapping[str, object] = field(default_factory=dict)
    symmetries: tuple[Symmetry, ...] = ()
    players_of_a_game: tuple[int, ...] = ()
    units: str = "games"
    view: Callable[[_core.State, int | None], str] | None = None
    telling: Telling | None = None
    for_people: str = ""
    has_scores: bool = True
    points_are: str = "points"
    fixed_total: float | None = None
    cap_plies: int | None = None
    tokens: TokenLayout | None = None
    openings: Callable[[], npt.NDArray[np.uint16]] | None = None
    tables: (
        Callable[[Mapping[str, npt.NDArray[Any]], Mapping[str, Any], Mapping[str, str]], Chooser]
        | None
    ) = None

    def match_openings(self) -> npt.NDArray[np.uint16] | None:
        """The lines that matches of this game begin with; None for its start."""
        return None if self.openings is None else self.openings()

    def __post_init__(self) -> None:
        if not self.source:
            object.__setattr__(self, "source", self.name)
        if not self.players_of_a_game:
            object.__setattr__(self, "players_of_a_game", (self.rules.num_seats,))

    def drawing(self, state: _core.State, seat: int | None) -> str:
        """The state for a terminal as one seat sees it; None sees everything."""
        return self.render(state) if self.view is None else self.view(state, seat)


def game_names() -> list[str]:
    """Names of the games of the house."""
    return list(MODULES)


def get_game(spec: str) -> GameEntry:
    """The game that a specification names; the same entry each time.

    Args:
        spec: the name of a game of the house, with options behind a colon where it has some
            (``name:option=value,option=value``), or the name of one that an installed package
            offers (entry points of the group ``ludus.games``); ``path/to/file.py:Class`` for a
            class of one's own (the class may be left out where the file has one game);
            ``openspiel:NAME`` for a game of OpenSpiel, with parameters
            ``openspiel:NAME(key=value,...)``.

    Raises:
        GameError: there is none (the sentence lists those that there are), or what is there is no
            game (the sentence says why not).
    """
    name, _, options = spec.partition(":")
    if name in MODULES:
        entry = _of_the_house(name, options)
        # However it is written, a game is one entry.
        return entry if entry.source == spec else _of_the_house(*_parts(entry.source))
    from ludus.games.loader import find

    return find(spec)


def _parts(source: str) -> tuple[str, str]:
    name, _, options = source.partition(":")
    return name, options


@cache
def _of_the_house(name: str, options: str) -> GameEntry:
    module = importlib.import_module(MODULES[name])
    if options and not hasattr(module, "OPTIONS"):
        raise GameError(f"the game {name} has no options, so {options!r} means nothing")
    entry: GameEntry = module.entry(options) if options else module.entry()
    return entry


def option_text(spec: str, options: str, known: Mapping[str, str]) -> str:
    """Options of a game in the one order that every entry writes them in.

    Args:
        spec: the name of the game, for sentences.
        options: ``option=value,option=value``, blanks between them at will.
        known: the options that there are, in order, with a line on each.

    Returns: the same without blanks, in the order of ``known``.

    Raises:
        GameError: an option that there is not, one without a value, or one given twice.
    """
    given: dict[str, str] = {}
    for part in filter(None, (part.strip() for part in options.split(","))):
        key, equals, value = (piece.strip() for piece in part.partition("="))
        if key not in known:
            raise GameError(
                f"{spec} has no option {key!r}; its options are {', '.join(known)}, such as "
                f"{spec}:{next(iter(known))}=..."
            )
        if not equals or not value:
            raise GameError(f"option {key} of {spec} has no value; write {key}=VALUE")
        if key in given:
            raise GameError(f"option {key} of {spec} is given twice")
        given[key] = value
    return ",".join(f"{key}={given[key]}" for key in known if key in given)
