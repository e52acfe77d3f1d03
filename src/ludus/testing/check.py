"""The way into the kit for games of every kind."""

from __future__ import annotations

from ludus.games import Game, GameEntry, get_game
from ludus.games.own import make_entry
from ludus.testing.games import GameLike, check_rules
from ludus.testing.own_game import check_own_game
from ludus.testing.say import tallied

_BEHIND = 3
"""Playouts of a game in plain Python through the compiled interface."""


def check_game(
    game: GameLike | Game | type[Game] | GameEntry | str, *, games: int = 12, seed: int = 0
) -> int:
    """Play random games and check at every position what the house relies on.

    Args:
        game: compiled rules, a game in plain Python or its class, an entry of the registry, or
            what names one: ``yatzy``, ``examples/pig.py:Pig``, ``openspiel:connect_four``.
        games: random playouts; each position costs about a millisecond.
        seed: of the playouts; a failure names it, so it can be repeated.

    Returns: how many checks were made; all of them passed.

    Raises:
        AssertionError: a sentence naming the game, the playout, the ply, what is wrong and, for
            games in plain Python, in which method and what would be right.
        GameError: a name that names no game.
    """
    if isinstance(game, str):
        game = get_game(game)
    if isinstance(game, type) and issubclass(game, Game):
        game = game()
    with tallied() as tally:
        if isinstance(game, Game):
            check_own_game(game, games=games, seed=seed)
            game = make_entry(game, game.name)
        elif isinstance(game, GameEntry) and game.own is not None:
            check_own_game(game.own, games=games, seed=seed)
        if not isinstance(game, GameEntry):
            check_rules(game, games=games, seed=seed)
        elif game.own is None:
            check_rules(game.rules, games=games, seed=seed)
        elif not game.own.hidden:
            # What search and records will see of it: the same rules behind the compiled interface.
            check_rules(game.rules, games=min(games, _BEHIND), seed=seed)
    return tally.checks
