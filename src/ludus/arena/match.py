"""Matches of two seats: a list of seeds, every seed played twice with seats exchanged."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from ludus import _core
from ludus.arena.finished import GameFigures
from ludus.arena.playing import Contest, MatchSettings, Plan
from ludus.arena.results import GameTable, MatchResult
from ludus.arena.seeds import SeedSet
from ludus.errors import GameError, UserError
from ludus.players import Player


class Match(Contest[GameTable, MatchResult]):
    """Player A against player B over a list of seeds.

    Args:
        game: the rules; two seats.
        player_a, player_b: the players.
        seeds: with ``settings.paired`` one for each pair, else one for each game (an even number).
        settings: how to play.
        figures: makes further figures of each finished game, see
            :data:`~ludus.arena.finished.GameFigures`. Called between slices with a few games at a
            time; keep it fast.

    Raises:
        GameError: a game without two seats.
        UserError: an odd number of seeds for unpaired games.
    """

    unit = "pairs"

    def __init__(
        self,
        game: _core.Game,
        player_a: Player,
        player_b: Player,
        seeds: SeedSet,
        settings: MatchSettings | None = None,
        *,
        figures: GameFigures | None = None,
    ) -> None:
        if game.num_seats != 2:
            raise GameError(f"a match needs two seats, but {game.name} has {game.num_seats}")
        how = settings or MatchSettings()
        if not how.paired and len(seeds) % 2:
            raise UserError(f"unpaired games need an even number of seeds, not {len(seeds)}")
        self.pairs = len(seeds) if how.paired else len(seeds) // 2
        super().__init__(game, player_a, player_b, seeds, how, figures)

    def plan(self) -> Plan:
        """A has seat 0 in the first game of a pair and seat 1 in the second."""
        games = np.arange(2 * self.pairs, dtype=np.int64)
        first = (games % 2).astype(np.int8)  # who has seat 0
        return Plan(
            games // 2,
            self.seeds.seeds[games // 2 if self.settings.paired else games],
            np.stack([first, 1 - first], axis=1),
        )

    def new_table(self) -> GameTable:
        """A table in which no game is finished."""
        return GameTable(self.pairs)

    @property
    def pairs_finished(self) -> int:
        """Finished pairs before the first unfinished one."""
        return self.units_finished

    def pair_scores(self, pairs: int | None = None) -> npt.NDArray[np.float64]:
        """A's scores in the first pairs, f64[pairs]; all of the finished prefix by default."""
        return self._table.pair_scores(self.pairs_finished if pairs is None else pairs)

    def result(self, units: int | None = None) -> MatchResult:
        """The figures of the first so many pairs, or of the finished prefix.

        Raises:
            ValueError: no pair, or one that is not finished.
        """
        return MatchResult.of(
            self._table,
            self.pairs_finished if units is None else units,
            players=self.names,
            seeds=(self.seeds.id, self.seeds.hash),
            paired=self.settings.paired,
        )

    def standing(self) -> str:
        """The win rate so far, in words; empty before the first pair."""
        pairs = self.pairs_finished
        return f"win rate {self.pair_scores(pairs).mean():.1%}" if pairs else ""
