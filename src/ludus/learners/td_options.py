"""Options of learning by TD(lambda) on pattern tables."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from ludus import _core, reading
from ludus.errors import GameError, UserError

_PATTERNS_LIMIT = 1 << 20


@dataclass(frozen=True)
class SelfPlaySearch:
    """A search for each move of self-play, in one thread, with a table for each game in play.

    What is learned is the value of its leaf (TD-Leaf; Baxter, Tridgell, Weaver: "Learning to play
    chess using temporal differences", Machine Learning 40, 2000, section 3).

    Attributes:
        depth: plies; None: as many as ``milliseconds`` allow.
        milliseconds: of a move; 0: no limit. With one, results depend on the machine's speed.
        endgame: empty squares from which on games are played out exactly.
        table_bytes: of each transposition table.
    """

    depth: int | None = None
    milliseconds: float = 0.0
    endgame: int = 0
    table_bytes: int = 2**24


@dataclass(frozen=True)
class TdOptions:
    """How a learner learns; errors and rates in discs.

    Attributes:
        patterns: ``standard``, or a file with a pattern a line.
        trace_lambda: share of the later targets in a target.
        learning_rate: Adam's step by number of the game.
        beta1: decay of the first moment.
        beta2: decay of the second moment.
        adam_epsilon: added to the root.
        error_clip: bound of a TD error.
        batch_games: games played on the same tables.
        epsilon: share of random moves by number of the game.
        opening: games begin with up to so many random moves, each number as likely.
        cut: whether targets end at random moves.
        sample_every: one game in so many is kept; 0 for none.
        search: how moves are found; None: by looking one move ahead.
        average_every: games after which the tables go into their mean; 0: there is none.
    """

    patterns: str
    trace_lambda: float
    learning_rate: Callable[[int], float]
    beta1: float
    beta2: float
    adam_epsilon: float
    error_clip: float
    batch_games: int
    epsilon: Callable[[int], float]
    opening: int = 0
    cut: bool = True
    sample_every: int = 1000
    search: SelfPlaySearch | None = None
    average_every: int = 0

    def pattern_set(self) -> _core.PatternSet:
        """The patterns.

        Raises:
            UserError: a file that cannot be read.
            GameError: patterns that cannot be; the sentence names line and reason.
        """
        if self.patterns == "standard":
            return _core.PatternSet.standard()
        try:
            text = reading.read_regular(self.patterns, _PATTERNS_LIMIT).decode("utf-8")
        except (OSError, UnicodeDecodeError) as error:
            why = error.strerror if isinstance(error, OSError) else "it is no text in UTF-8"
            raise UserError(f"the pattern set {self.patterns} cannot be read: {why}") from None
        try:
            return _core.PatternSet.parse(text)
        except GameError as error:
            raise GameError(f"{self.patterns}: {error}") from None
