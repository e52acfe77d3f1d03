"""Players by specification strings: ``name`` or ``name:option=value,option=value``.

``random``, ``uniform:sims=64``, ``search:run=runs/yatzy,sims=64,model=champion,rule=gumbel``,
``policy:run=runs/yatzy``, and what the game itself offers (``greedy``, ``oracle``, ...). A run
directory alone means ``search:run=<directory>``, or ``td:run=<directory>`` where its champion is
pattern tables; a checkpoint alone means ``td:run=<file>``. A value cannot contain a comma.
``gtp:COMMAND`` and ``nboard:COMMAND`` are external engines, whose commands may hold any character
(:mod:`ludus.players.engines.spec`).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Protocol

import numpy.typing as npt

from ludus import _core
from ludus.errors import PlayerError
from ludus.evaluators import BACKENDS
from ludus.players.engines.spec import ENGINE_OPTIONS, split_engine
from ludus.players.options import require_number
from ludus.players.player import Chooser, ExternalPlayer, Player, RandomPlayer
from ludus.players.search import (
    policy_player,
    require_simulations,
    search_player,
    uniform_player,
)
from ludus.players.tables import is_table_run, table_player

TableMaker = Callable[
    [Mapping[str, npt.NDArray[Any]], Mapping[str, Any], Mapping[str, str]], Chooser
]
"""Arrays, their description and options in, chooser out."""


class PlayableGame(Protocol):
    """The part of ``ludus.games.GameEntry`` that players need."""

    @property
    def name(self) -> str:
        """Name in the registry."""
        ...

    @property
    def rules(self) -> _core.Game:
        """The rules."""
        ...

    @property
    def players(self) -> Mapping[str, Callable[[Mapping[str, str]], Chooser]]:
        """Players that only this game has, by name: options in, chooser out."""
        ...

    @property
    def action_text(self) -> Callable[[_core.State, int], str]:
        """An action as people and engines write it."""
        ...

    @property
    def parse_action(self) -> Callable[[_core.State, str], int]:
        """An action from such a text; raises GameError."""
        ...

    @property
    def position_text(self) -> Callable[[_core.State], str]:
        """A state in one line."""
        ...

    @property
    def protocols(self) -> Mapping[str, object]:
        """What protocols of game engines must know of it, by protocol."""
        ...

    @property
    def tables(self) -> TableMaker | None:
        """Makes a player of this game from pattern tables; None where there are none."""
        ...


SEARCH_OPTIONS: Mapping[str, str] = {
    "sims": "simulations a decision, or one number a kind of decision: 48/16",
    "rule": "puct or gumbel",
    "considered": "actions that Gumbel's halving starts from",
    "c_puct": "weight of the prior",
    "c_visit": "offset of visits in the weight of Q",
    "c_scale": "factor of the weight of Q",
    "fpu": "first-play urgency below the node's value",
    "inflight": "simulations of one game that wait for evaluation",
    "worlds": "deals of the hidden cards that it searches, each with all simulations",
    "evidence": "how much what the others did weighs in the choice of worlds",
    "belief": "how much the network's belief of who holds what weighs there",
}
"""Options of every search."""

RUN_OPTIONS: Mapping[str, str] = {
    "run": "the run directory",
    "model": "champion, candidate, first, a unit's number, or a safetensors file",
    "backend": f"how the network runs: {', '.join(BACKENDS)}; default: as in the run",
}
"""Options of players made of a run's weights."""

TABLE_OPTIONS: Mapping[str, str] = {
    "run": "the run directory, a checkpoint, or a file of models/",
    "model": "champion, first, a unit's number, or a safetensors file",
    "depth": "plies to search; 1, the default, looks one move ahead",
    "ms": "milliseconds of a move; default: no limit",
    "endgame": "empty squares from which on it solves exactly; default: 0",
    "threads": "of a search; default: 1",
}
"""Options of players made of a run's pattern tables."""

OPTIONS: Mapping[str, Mapping[str, str]] = {
    "random": {},
    "uniform": SEARCH_OPTIONS,
    "search": {**RUN_OPTIONS, **SEARCH_OPTIONS, "margin": "share of the margin in the value"},
    "policy": RUN_OPTIONS,
    "td": TABLE_OPTIONS,
    **ENGINE_OPTIONS,
    "person": {},
}
"""Players of every game with their options. Engines are of games that have the protocol, ``td`` of
games with pattern tables."""

ABOUT: Mapping[str, str] = {
    "random": "all legal actions alike",
    "uniform": "a search without knowledge",
    "search": "a search with the network of a run",
    "policy": "the network of a run, without a search",
    "td": "the pattern tables of a run",
    "gtp": "another program by the protocol GTP: gtp:COMMAND",
    "nboard": "another program by the protocol NBoard: nboard:COMMAND",
    "person": "you, in `ludus play`",
}
"""What the players of every game are."""

_NUMBERS: Mapping[str, tuple[str, float, float]] = {
    "c_puct": ("c_puct", 0.0, 1000.0),
    "c_visit": ("c_visit", 0.0, 1e6),
    "c_scale": ("c_scale", 0.0, 1000.0),
    "fpu": ("fpu_reduction", 0.0, 2.0),
    "margin": ("margin_weight", 0.0, 1.0),
    "evidence": ("evidence", 0.0, 10.0),
    "belief": ("belief", 0.0, 10.0),
}
_INTEGERS: Mapping[str, tuple[str, int, int]] = {
    "considered": ("considered", 1, 60000),
    "inflight": ("max_inflight", 1, 4096),
    "worlds": ("worlds", 1, 256),
}


def is_weights_file(spec: str) -> bool:
    """Whether a specification is a path to a checkpoint or to a file of ``models/``."""
    return Path(spec).suffix in (".ckpt", ".safetensors") and ":" not in spec


def known_players(game: PlayableGame) -> list[str]:
    """Names of all players of a game, those of every game first."""
    every = [
        name
        for name in OPTIONS
        if (name not in ENGINE_OPTIONS or name in game.protocols)
        and (name != "td" or game.tables is not None)
    ]
    return [*every, *sorted(name for name in game.players if name not in OPTIONS)]


def split_spec(spec: str) -> tuple[str, dict[str, str]]:
    """Name and options of a specification, unchecked.

    Raises:
        PlayerError: an option without ``=``, an empty name, an engine without a command, or an
            option given twice.
    """
    name, _, rest = spec.partition(":")
    name = name.strip()
    if not name:
        raise PlayerError(f"player {spec!r} has no name before ':'")
    if name in ENGINE_OPTIONS:
        return name, split_engine(spec, rest)
    options: dict[str, str] = {}
    for part in filter(None, (part.strip() for part in rest.split(","))):
        key, equals, value = part.partition("=")
        key, value = key.strip(), value.strip()
        if not equals or not key or not value:
            raise PlayerError(f"player {spec!r}: {part!r} must have the form option=value")
        if key in options:
            raise PlayerError(f"player {spec!r}: option {key} is given twice")
        options[key] = value
    return name, options


def parse_player(spec: str, game: PlayableGame) -> Player:
    """Make the player that a specification names.

    Args:
        spec: see the module; also the path of a run directory, or of a checkpoint with tables.
        game: the game that it is to play.

    Raises:
        PlayerError: an unknown player (the known ones are listed), an unknown option (the player's
            are listed), a value out of range, a missing run.
        RunError: the run or its model is missing, damaged or foreign.
    """
    if spec and ":" not in spec and spec not in game.players and spec not in OPTIONS:
        if Path(spec).is_dir():
            return player_of_run(game, spec, name=spec)
        if is_weights_file(spec) and game.tables is not None:
            return table_player(game, spec, name=spec)
        if "/" in spec:
            raise PlayerError(f"player {spec!r} is no run directory that exists")
    name, options = split_spec(spec)
    if name in game.players and name not in OPTIONS:
        return ExternalPlayer(game.players[name](options), spec)
    if name not in OPTIONS:
        if "/" in name:
            raise PlayerError(
                f"player {spec!r} is a path with options; a run takes them as "
                f"search:run={name},{spec.partition(':')[2]}"
            )
        raise PlayerError(
            f"player {name!r} is unknown; {game.name} knows {', '.join(known_players(game))}"
        )
    if name in ENGINE_OPTIONS:
        from ludus.players.engines.external import engine_player

        return engine_player(spec, name, options, game)
    for key in options:
        if key not in OPTIONS[name]:
            has = f"its options are {', '.join(OPTIONS[name])}" if OPTIONS[name] else "it has none"
            raise PlayerError(f"player {name} has no option {key!r}: {has}")
    match name:
        case "person":
            raise PlayerError("a person plays only in `ludus play`")
        case "random":
            return RandomPlayer(spec)
        case "uniform":
            return uniform_player(_search_settings(spec, options), spec)
    if "run" not in options:
        raise PlayerError(f"player {spec!r} needs a run: {name}:run=DIR")
    model, backend = options.get("model", "champion"), options.get("backend")
    if name == "td":
        how = {key: value for key, value in options.items() if key not in ("run", "model")}
        return table_player(game, options["run"], model=model, options=how, name=spec)
    if backend is not None and backend not in BACKENDS:
        raise PlayerError(
            f"player {spec!r}: backend={backend} must be one of {', '.join(BACKENDS)}"
        )
    if name == "policy":
        return policy_player(game.rules, options["run"], model=model, backend=backend, name=spec)
    return search_player(
        game.rules,
        options["run"],
        model=model,
        overrides=_search_settings(spec, options),
        backend=backend,
        name=spec,
    )


def player_of_run(
    game: PlayableGame,
    run: str | Path,
    *,
    model: str = "champion",
    overrides: Mapping[str, Any] | None = None,
    name: str | None = None,
) -> Player:
    """What a run has learned, as a player: a network with the run's search, or pattern tables.

    Args:
        game: that it is to play.
        run: the run directory.
        model: see :func:`ludus.players.search.load_network`.
        overrides: settings of the search, where there is one.
        name: for reports.

    Raises:
        RunError: no such run or model; also its subclasses for damaged or foreign files.
    """
    if is_table_run(Path(run)):
        return table_player(game, run, model=model, name=name)
    return search_player(game.rules, run, model=model, overrides=overrides, name=name)


def _search_settings(spec: str, options: Mapping[str, str]) -> dict[str, Any]:
    """Settings of the slots that the options ask for."""
    settings: dict[str, Any] = {}
    for key, value in options.items():
        if key == "sims":
            settings["simulations"] = require_simulations(value, spec)
        elif key == "rule":
            if value not in ("puct", "gumbel"):
                raise PlayerError(f"player {spec!r}: rule={value} must be puct or gumbel")
            settings["rule"] = value
        elif key in _NUMBERS:
            ours, low, high = _NUMBERS[key]
            settings[ours] = require_number(spec, key, value, low, high, float)
        elif key in _INTEGERS:
            ours, low, high = _INTEGERS[key]
            settings[ours] = require_number(spec, key, value, low, high, int)
    return settings
