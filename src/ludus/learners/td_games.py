"""Single games and batches for notebooks: what each game came to.

A learner plays a batch of games on the same tables and then learns from all of them: batches, not
games, are the unit. A learner whose batches have one game learns after each, which is slower and
another training.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Literal

from ludus.errors import UserError
from ludus.learners.td import TdLearner


@dataclass(frozen=True)
class GameResult:
    """One self-play game.

    Attributes:
        number: from the learner's birth.
        difference: black's discs less white's, empty squares for the winner.
        moves: discs that were put.
        winner: who has won; None for a draw.
    """

    number: int
    difference: int
    moves: int
    winner: Literal["black", "white"] | None


def train_batch(
    learner: TdLearner,
    games: int | None = None,
    *,
    epsilon: float | None = None,
    threads: int = 1,
) -> list[GameResult]:
    """Play games and learn from them.

    Args:
        learner: that is trained.
        games: how many; rounded up to whole batches. None for one batch.
        epsilon: share of random moves in these games; None for the learner's schedule.
        threads: that play and learn; they change no result.

    Returns: the games, in order.

    Raises:
        UserError: no games asked for, no threads, or a share outside 0 to 1.
    """
    wanted = learner.options.batch_games if games is None else games
    if wanted < 1:
        raise UserError(f"{wanted} games cannot be trained; ask for at least 1")
    if threads < 1:
        raise UserError(f"{threads} threads cannot train; give at least 1")
    first, options = learner.games, learner.options
    if epsilon is not None:
        if not 0.0 <= epsilon <= 1.0:
            raise UserError(f"epsilon is {epsilon}; it must be from 0 to 1")
        learner.options = replace(options, epsilon=_always(epsilon))
    try:
        played = learner.train(first + wanted, threads=threads)
    finally:
        learner.options = options
    results = zip(played.differences.tolist(), played.plies.tolist(), strict=True)
    return [
        GameResult(
            number,
            difference,
            moves,
            "black" if difference > 0 else "white" if difference < 0 else None,
        )
        for number, (difference, moves) in enumerate(results, first)
    ]


def train_game(learner: TdLearner, *, epsilon: float | None = None) -> GameResult:
    """Play one game and learn from it.

    Args:
        learner: whose batches have one game (``TdOptions.batch_games`` is 1).
        epsilon: share of random moves in it; None for the learner's schedule.

    Raises:
        UserError: a learner with larger batches, or a share outside 0 to 1.
    """
    if learner.options.batch_games != 1:
        raise UserError(
            f"this learner learns from {learner.options.batch_games} games at a time: call "
            "train_batch, or make a learner with batch_games=1"
        )
    return train_batch(learner, 1, epsilon=epsilon)[0]


def _always(value: float) -> Callable[[int], float]:
    return lambda game: value
