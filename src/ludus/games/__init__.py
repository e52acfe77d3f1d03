"""What Python adds to a game: notation, drawing, its own players and suites.

The rules of the house's games are compiled (``ludus._core``); :class:`Game` is the protocol for
games written in Python. :func:`get_game` is the way in to both.
"""

from ludus.games.formats import RecordFormat
from ludus.games.game import Game, Symmetry
from ludus.games.registry import GameEntry, game_names, get_game

__all__ = ["Game", "GameEntry", "RecordFormat", "Symmetry", "game_names", "get_game"]
