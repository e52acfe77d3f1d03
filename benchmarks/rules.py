"""Rules alone: random games, and worlds behind hidden cards; one core, no records."""

from __future__ import annotations

from ludus import _core
from ludus.measure import Figure, Goal, in_turns

_ROUNDS = "blob:players=5,cards=5"
_WORLDS_EACH = 8
"""Worlds drawn at each decision of a random round."""


def measure(quick: bool) -> list[Figure]:
    """Random decisions a second of every game of the house; rounds and worlds of Blob."""
    figures = []
    for name in _core.game_names():
        game = _core.game(name)
        games = 2_000 if quick else 20_000

        def work(game: _core.Game = game, games: int = games) -> float:
            return float(_core.random_playouts(game, games, seed=1)["decisions"])

        figures.append(in_turns(f"{name}: random decisions", "decisions/s", work, quick=quick))
    game = _core.game(_ROUNDS)
    rounds = 20_000 if quick else 200_000

    def play() -> float:
        _core.random_playouts(game, rounds, seed=1)
        return float(rounds)

    drawn: dict[str, int] = {}

    def draw() -> float:
        drawn.update(_core.random_worlds(game, rounds // 50, _WORLDS_EACH, seed=1))
        return float(drawn["worlds"])

    figures.append(
        in_turns(f"{_ROUNDS}: random rounds", "rounds/s", play, quick=quick, goal=Goal(2e5))
    )
    worlds = in_turns(f"{_ROUNDS}: worlds", "worlds/s", draw, quick=quick, goal=Goal(5e5))
    worlds.extra["note"] = (
        f"{drawn['rejected'] / drawn['worlds']:.3f} draws thrown away a world, "
        f"at most {drawn['most_rejected']}"
    )
    figures.append(worlds)
    return figures
