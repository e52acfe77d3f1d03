"""Rules alone: random games, one core, no records."""

from __future__ import annotations

from ludus import _core
from ludus.measure import Figure, in_turns


def measure(quick: bool) -> list[Figure]:
    """Random decisions a second of every game of the house."""
    figures = []
    for name in _core.game_names():
        game = _core.game(name)
        games = 2_000 if quick else 20_000

        def work(game: _core.Game = game, games: int = games) -> float:
            return float(_core.random_playouts(game, games, seed=1)["decisions"])

        figures.append(in_turns(f"{name}: random decisions", "decisions/s", work, quick=quick))
    return figures
