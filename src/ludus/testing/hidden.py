"""Hidden information: worlds that a seat cannot tell from a position."""

from __future__ import annotations

import functools
from typing import Any

import numpy as np
import numpy.typing as npt

from ludus.testing.say import refuses, require

WORLDS = 4
"""Worlds drawn at each position for each seat."""


def players_of(game: Any, state: Any) -> int:
    """Seats in play, the first of ``num_seats``; all of them where positions do not say."""
    return int(getattr(state, "players", game.num_seats))


def check_worlds(
    game: Any, state: Any, seat: int, seen: npt.NDArray[np.float32], where: str
) -> None:
    """Worlds that look equal to a seat give it equal observations, choices and public facts.

    ``sample_world(seat, seed)`` gives a position, or a position and how many draws were thrown away
    for it. Where positions have ``private_key(seat)``, equal keys must go with equal views.

    Args:
        game: the rules.
        state: a position.
        seat: in play.
        seen: what it observes there.
        where: of the playout, for the sentence.

    Raises:
        AssertionError: what is wrong.
    """
    require(
        game,
        where,
        hasattr(state, "sample_world"),
        "has_hidden is True, so positions need sample_world(seat, seed) -> position",
    )
    for seed in range(WORLDS):
        world, rejected = _draw(game, state, seat, seed, where)
        require(game, where, rejected >= 0, f"sample_world() says {rejected} draws in vain")
        again = _draw(game, state, seat, seed, where)[0]
        same = again.packed() == world.packed()
        require(game, where, same, f"sample_world({seat}, {seed}) gives another world each time")
        require(
            game,
            where,
            np.array_equal(seen, world.observe(seat)),
            f"observe({seat}) changes with what seat {seat} cannot see",
        )
        _check_public(game, state, world, seat, where)
        if state.kind == "decision" and state.seat == seat:
            require(
                game,
                where,
                np.array_equal(state.legal(), world.legal()),
                f"the legal actions of seat {seat} change with what it cannot see",
            )
        if hasattr(state, "private_key"):
            _check_keys(game, state, world, seat, where)


def check_unused_seats(game: Any, state: Any, where: str) -> None:
    """Seats that nobody sits on see nothing, have nothing and know nothing.

    Raises:
        AssertionError: what is wrong.
    """
    players = players_of(game, state)
    inside = 1 <= players <= game.num_seats
    require(game, where, inside, f"players is {players}; it must lie in 1..{game.num_seats}")
    if state.kind == "decision":
        require(game, where, state.seat < players, f"it is the turn of the empty seat {state.seat}")
    arrays = {"scores()": state.scores()}
    if state.kind == "terminal":
        arrays |= {"returns()": state.returns(), "margins()": state.margins()}
    for name, values in arrays.items():
        empty = not np.asarray(values)[players:].any()
        require(
            game, where, empty, f"{name} gives something to a seat beyond the {players} players"
        )
    for seat in range(players, game.num_seats):
        blind = not np.asarray(state.observe(seat)).any()
        require(game, where, blind, f"observe({seat}) shows something to an empty seat")
        if game.has_hidden and hasattr(state, "sample_world"):
            refuses(
                game,
                where,
                functools.partial(state.sample_world, seat, 0),
                f"a world of the empty seat {seat}",
            )


def _draw(game: Any, state: Any, seat: int, seed: int, where: str) -> tuple[Any, int]:
    try:
        return _pair(state.sample_world(seat, seed))
    except ValueError as error:
        require(game, where, False, f"sample_world({seat}, {seed}) was refused: {error}")
        raise


def _pair(found: Any) -> tuple[Any, int]:
    return found if isinstance(found, tuple) else (found, 0)


def _check_public(game: Any, state: Any, world: Any, seat: int, where: str) -> None:
    for fact in ("kind", "seat"):
        same = getattr(state, fact) == getattr(world, fact)
        require(game, where, same, f"{fact} changes with what seat {seat} cannot see")
    same = players_of(game, state) == players_of(game, world)
    require(game, where, same, f"players changes with what seat {seat} cannot see")
    same = np.array_equal(state.scores(), world.scores())
    require(game, where, same, f"scores() change with what seat {seat} cannot see")


def _check_keys(game: Any, state: Any, world: Any, seat: int, where: str) -> None:
    """Positions with one public history look alike to a seat exactly where its keys are equal."""
    for other in range(players_of(game, state)):
        alike = state.private_key(other) == world.private_key(other)
        require(
            game,
            where,
            alike or other != seat,
            f"private_key({seat}) differs in a world that seat {seat} cannot tell apart",
        )
        if alike:
            require(
                game,
                where,
                np.array_equal(state.observe(other), world.observe(other)),
                f"private_key({other}) is equal in two worlds that seat {other} sees differently",
            )
