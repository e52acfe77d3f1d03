"""Training rows, drawn over a window of game records by the number of the update.

Which rows an update sees follows from (seed, update, window) alone: not from the rows drawn
before, nor from kills, threads or time.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from ludus import _core
from ludus.errors import ConfigError
from ludus.replay.records import GameRecords
from ludus.replay.rows import TrainingRows, fill_rows, row_buffers


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
        target_temperature: float = 1.0,
        open_worlds: bool = False,
        beliefs: bool = False,
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
            target_temperature: tau: policy targets are raised to 1 / tau and normalised.
            open_worlds: every other row is seen with nothing hidden, as the search sees worlds.
            beliefs: rows say who held what was hidden.

        Raises:
            ConfigError: an empty window, plies_per_game below 1, or beliefs in a game that does not
                say who may hold what is hidden.
            ValueError: a temperature that is not above 0.
        """
        if not len(window):
            raise ConfigError("there is no game in the replay to learn from")
        if plies_per_game < 1:
            raise ConfigError(f"replay.plies_per_game = {plies_per_game} must be at least 1")
        if beliefs and not game.belief_size:
            raise ConfigError(f"beliefs are for games that hide who holds what, unlike {game.name}")
        self.beliefs = beliefs
        self.game = game
        self.window = window
        self.plies_per_game = plies_per_game
        self._picker = _core.RowPicker(window.columns["plies"], seed, plies_per_game)
        self._decoder = _core.RowDecoder(
            game, window.columns, c_visit, c_scale, q_spread, target_temperature, open_worlds
        )

    def picks(
        self, update: int, batch_size: int
    ) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int32]]:
        """Position of the game in the window and ply of each row of an update, sorted.

        Args:
            update: number of the update since the run's birth, >= 0.
            batch_size: rows.
        """
        return self._picker.pick(update, batch_size)

    def buffers(self, batch_size: int) -> TrainingRows:
        """Room for so many rows, to be filled again and again."""
        return row_buffers(self.game, batch_size, beliefs=self.beliefs)

    def rows(
        self, update: int, batch_size: int, *, into: TrainingRows | None = None
    ) -> TrainingRows:
        """Rows of an update.

        Args:
            update: number of the update since the run's birth, >= 0.
            batch_size: rows.
            into: buffers to fill, as of :meth:`buffers`; the answer is a view of them. New ones by
                default.

        Raises:
            ValueError: a record that contradicts the rules.
        """
        games, plies = self.picks(update, batch_size)
        buffers = self.buffers(batch_size) if into is None else into
        return fill_rows(self._decoder, games, plies, buffers)
