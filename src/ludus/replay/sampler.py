"""Training rows, drawn over a window of game records by the number of the update.

Which rows an update sees follows from (seed, update, window) alone: not from the rows drawn
before, nor from kills, threads or time.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from ludus import _core
from ludus.errors import ConfigError, NumericsError
from ludus.replay.records import GameRecords

_ROUND, _PLIES, _STREAMS = 0, 1, 2
"""Streams of random numbers: order of the games in a round, plies of an update."""


@dataclass(frozen=True, eq=False)
class TrainingRows:
    """Rows for one update, derived from game records by the encoder.

    Attributes:
        observations: f32[n, observation_size], mover's view.
        legal: i32[k], flat ``row * num_actions + action`` over the search's legal actions.
        offsets: i32[n + 1], the entries of a row in ``legal`` and ``policy``.
        policy: f32[k], target; sums to 1 over each row.
        value: f32[n], return of the mover, in [-1, 1].
        margin: f32[n], tanh of the mover's final margin in points over the game's scale.
        root_value: f32[n], value that the search found, mover's view; ``value`` where none ran.
        searched: u8[n], 0 where no search ran and ``policy`` is uniform and must not be learned.
    """

    observations: npt.NDArray[np.float32]
    legal: npt.NDArray[np.int32]
    offsets: npt.NDArray[np.int32]
    policy: npt.NDArray[np.float32]
    value: npt.NDArray[np.float32]
    margin: npt.NDArray[np.float32]
    root_value: npt.NDArray[np.float32]
    searched: npt.NDArray[np.uint8]

    def __len__(self) -> int:
        """Number of rows."""
        return len(self.value)


def audit_rows(rows: TrainingRows, num_actions: int) -> dict[str, int]:
    """Check what must hold for every training row (decisions 13).

    Args:
        rows: as of :meth:`ReplaySampler.rows`.
        num_actions: size of the action space.

    Returns:
        Counts: rows, searched, entries.

    Raises:
        NumericsError: a number that is not finite or out of range, a policy that does not sum to
            1 or has weight outside its own row's legal actions; the sentence names the row.
    """
    count = len(rows)

    def refuse(bad: Any, what: str) -> None:
        if bad.any():
            raise NumericsError(f"training row {int(np.argmax(bad))} of {count} {what}")

    lengths = np.diff(rows.offsets)
    if rows.offsets[0] != 0 or rows.offsets[-1] != len(rows.policy):
        raise NumericsError("training rows: the offsets do not cover the policy")
    refuse(lengths <= 0, "has no legal action")
    refuse(~np.isfinite(rows.observations).all(1), "has an observation that is not finite")
    owner = np.repeat(np.arange(count), lengths)
    outside = np.zeros(count, bool)
    outside[owner[rows.legal // num_actions != owner]] = True
    refuse(outside, "has policy weight outside its own actions")
    bad = np.zeros(count, bool)
    bad[owner[~(rows.policy >= 0)]] = True
    refuse(bad, "has a policy weight that is negative or no number")
    sums = np.add.reduceat(rows.policy.astype(np.float64), rows.offsets[:-1])
    refuse(~(np.abs(sums - 1.0) < 1e-4), "has a policy that does not sum to 1")
    for name, target in (
        ("value", rows.value),
        ("margin", rows.margin),
        ("root value", rows.root_value),
    ):
        refuse(~(np.abs(target) <= 1.0), f"has a {name} outside [-1, 1]")
    return {
        "rows": count,
        "searched": int(np.count_nonzero(rows.searched)),
        "entries": len(rows.policy),
    }


class ReplaySampler:
    """Draws rows for numbered updates over a fixed window.

    Games come in a shuffled order that visits every game once before any comes again; of each,
    about ``plies_per_game`` plies are drawn without repetition: exactly so many where every game
    of the update is long enough and the batch is a multiple; else games give one more or less.
    """

    def __init__(
        self,
        game: _core.Game,
        window: GameRecords,
        seed: int,
        *,
        plies_per_game: int = 8,
        c_visit: float = 50.0,
        c_scale: float = 1.0,
        q_spread: float = 0.2,
    ) -> None:
        """Prepare the window.

        Args:
            game: rules and encoder.
            window: games to draw from; kept, not copied.
            seed: of the run.
            plies_per_game: rows taken from a game whenever it is drawn.
            c_visit: of the improved policy, as in the replay's schema.
            c_scale: likewise.
            q_spread: likewise.

        Raises:
            ConfigError: an empty window, or plies_per_game below 1.
        """
        if not len(window):
            raise ConfigError("there is no game in the replay to learn from")
        if plies_per_game < 1:
            raise ConfigError(f"replay.plies_per_game = {plies_per_game} must be at least 1")
        self.window = window
        self.plies_per_game = plies_per_game
        self._seed = seed
        self._plies = window.columns["plies"].astype(np.int64)
        self._decoder = _core.RowDecoder(game, window.columns, c_visit, c_scale, q_spread)
        self._round = -1
        self._order = np.empty(0, np.int64)

    def _numbers(self, stream: int, number: int, count: int) -> npt.NDArray[np.uint64]:
        """Random u64[count] from a counter-based stream of its own for every number.

        Raw output of Philox, so that no version of numpy changes what is drawn.
        """
        key = _core.derive_seed(self._seed, "training", number * _STREAMS + stream)
        return np.asarray(np.random.Philox(key=key).random_raw(count), np.uint64)

    def _games(self, first: int, count: int) -> npt.NDArray[np.int64]:
        """Games at positions [first, first + count) of the endless shuffled order."""
        size = len(self.window)
        parts = []
        while count:
            number, at = divmod(first, size)
            if number != self._round:
                self._order = np.argsort(self._numbers(_ROUND, number, size), kind="stable")
                self._round = number
            part = self._order[at : at + count]
            parts.append(part)
            first, count = first + len(part), count - len(part)
        return np.concatenate(parts)

    def picks(
        self, update: int, batch_size: int
    ) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int32]]:
        """Position of the game in the window and ply of each row of an update, sorted.

        Args:
            update: number of the update since the run's birth, >= 0.
            batch_size: rows.
        """
        each = self.plies_per_game
        per_update = -(-batch_size // each)
        games = self._games(update * per_update, per_update)
        lengths = self._plies[games]
        width = int(lengths.max())
        keys = self._numbers(_PLIES, update, len(games) * width).reshape(len(games), width)
        keys[np.arange(width) >= lengths[:, None]] = np.iinfo(np.uint64).max
        # Plies of each game in random order, those that it lacks behind.
        shuffled = np.argsort(keys, axis=1, kind="stable")
        # Column by column: the last game of a batch must not lose what the first one keeps.
        columns, rows = np.nonzero((np.arange(width) < lengths[:, None]).T)
        columns, rows = columns[:batch_size], rows[:batch_size]
        game, ply = games[rows], shuffled[rows, columns]
        if len(game) < batch_size:
            # A window of very short games: rows repeat.
            repeat = np.arange(batch_size) % len(game)
            game, ply = game[repeat], ply[repeat]
        # The decoder replays a game once when its plies follow each other in order.
        order = np.lexsort((ply, game))
        return game[order], ply[order].astype(np.int32)

    def rows(self, update: int, batch_size: int) -> TrainingRows:
        """Rows of an update.

        Args:
            update: number of the update since the run's birth, >= 0.
            batch_size: rows.

        Raises:
            ValueError: a record that contradicts the rules.
        """
        games, plies = self.picks(update, batch_size)
        return TrainingRows(**self._decoder.rows(games, plies))
