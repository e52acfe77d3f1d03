"""The public conformance kit: call one function on your game, player or evaluator.

Each check raises ``AssertionError`` with a sentence that says what the house expects, what it found
and where. Nothing here depends on pytest.
"""

from ludus.testing.check import check_game
from ludus.testing.evaluators import check_evaluator
from ludus.testing.games import GameLike, StateLike
from ludus.testing.players import check_chooser, check_player

__all__ = [
    "GameLike",
    "StateLike",
    "check_chooser",
    "check_evaluator",
    "check_game",
    "check_player",
]
