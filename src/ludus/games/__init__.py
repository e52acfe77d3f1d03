"""What Python adds to a game: notation, drawing, its own players and suites.

The rules themselves are compiled (``ludus._core``). :func:`get_game` is the way in.
"""

from ludus.games.registry import GameEntry, Symmetry, game_names, get_game

__all__ = ["GameEntry", "Symmetry", "game_names", "get_game"]
