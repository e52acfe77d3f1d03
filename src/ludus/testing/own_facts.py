"""What an own game says about itself before anything is played."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from ludus.testing.referee import Referee, is_int

_METHODS = ("initial", "turn", "legal", "apply", "returns", "observe")
_RANGES: Mapping[str, tuple[int, int, str]] = {
    "version": (1, 1_000_000, "raise it when rules, actions or observations change"),
    "num_seats": (1, 8, "how many play"),
    "num_actions": (1, 65535, "how many actions there are at all"),
    "max_plies": (1, 65535, "the most decisions of a game"),
    "max_outcomes": (0, 32767, "the most outcomes of a chance event, 0 without chance"),
}


_MOST_LEGAL = 1024
"""Legal actions of a position that the search has room for."""


def check_facts(referee: Referee) -> None:
    """Names and numbers of the class.

    Raises:
        AssertionError: a sentence on the first that is missing or wrong.
    """
    game: Any = referee.game  # whose attributes may be anything as yet
    name = getattr(game, "name", None)
    referee.require(
        isinstance(name, str) and re.fullmatch(r"[a-z0-9_]{1,64}", name) is not None,
        f"name is {name!r}; it must be small letters, digits and _, as in name = 'my_game': it "
        "names the run directory",
    )
    for method in _METHODS:
        referee.require(callable(getattr(game, method, None)), f"the method {method}() is missing")
    for fact, (low, high, meaning) in _RANGES.items():
        value: Any = getattr(game, fact, None)
        good = is_int(value) and low <= value <= high
        referee.require(
            good, f"{fact} is {value!r}; it must be a whole number in {low}..{high}: {meaning}"
        )
    most = game.max_legal
    limit = min(game.num_actions, _MOST_LEGAL)
    referee.require(
        (is_int(most) and 1 <= most <= limit)
        if most is not None
        else game.num_actions <= _MOST_LEGAL,
        f"max_legal is {most!r}; it must lie in 1..{limit}, the most legal actions of any position"
        + (f", or be None for {limit}" if limit == game.num_actions else ""),
    )
    shape = getattr(game, "observation_shape", None)
    referee.require(
        isinstance(shape, tuple) and len(shape) > 0 and all(is_int(n) and n > 0 for n in shape),
        f"observation_shape is {shape!r}; it must be a tuple of sizes, as in (9,) or (2, 6, 7)",
    )
    referee.require(
        isinstance(game.hidden, bool), f"hidden is {game.hidden!r}; it must be True or False"
    )
    scale: Any = game.margin_scale
    referee.require(
        isinstance(scale, int | float) and not isinstance(scale, bool) and scale > 0,
        f"margin_scale is {scale!r}; it must be a number of points above 0",
    )
    if game.max_outcomes:
        for method in ("outcomes", "apply_outcome"):
            referee.require(
                _is_own(game, method),
                f"the method {method}() is missing, which max_outcomes = {game.max_outcomes} needs",
            )
    _check_players(referee)
    _check_recipe(referee)


def _is_own(game: Any, method: str) -> bool:
    from ludus.games import Game

    return getattr(type(game), method, None) is not getattr(Game, method, None)


def _check_players(referee: Referee) -> None:
    from ludus.players.spec import OPTIONS

    players: Any = referee.game.players
    referee.require(
        isinstance(players, Mapping),
        f"players is {players!r}; it must map names to functions, as in {{'greedy': greedy}}",
    )
    for name, choose in players.items():
        good = isinstance(name, str) and re.fullmatch(r"[a-z][a-z0-9_]*", name) is not None
        referee.require(
            good and callable(choose),
            f"players has {name!r}: {choose!r}; it must map a name of small letters to a function "
            "(game, state, random) -> action",
        )
        referee.require(
            name not in (*OPTIONS, "first"),
            f"players names {name!r}, which every game has already: choose another name",
        )


def _check_recipe(referee: Referee) -> None:
    from ludus.errors import ConfigError
    from ludus.training.keys import flatten, merge, validate
    from ludus.training.layers import load_recipe
    from ludus.training.plays import ANY_GAME

    own: Any = referee.game.recipe
    referee.require(
        isinstance(own, Mapping),
        f"recipe is {own!r}; it must hold settings by section, as in "
        "{'model': {'hidden_dim': 64}}",
    )
    recipe = load_recipe(ANY_GAME)
    try:
        source = f"recipe of {type(referee.game).__name__}"
        validate(merge([flatten(recipe.settings, ANY_GAME), flatten(own, source)]))
    except ConfigError as error:
        referee.require(False, f"its recipe is refused: {error}")
