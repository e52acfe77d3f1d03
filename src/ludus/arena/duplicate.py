"""Duplicate matches: two players at tables with more than two seats, every deal on every seat."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from ludus import _core
from ludus.arena.deals import DealTable, DuplicateResult
from ludus.arena.finished import GameFigures
from ludus.arena.match import Match
from ludus.arena.playing import Contest, MatchSettings, Plan
from ludus.arena.seeds import SeedSet
from ludus.errors import GameError, UserError
from ludus.players import Player


def players_of_deal(game: _core.Game, seed: int) -> int:
    """Seats in play of the game with that episode seed."""
    state = game.initial()
    if state.kind == "chance":
        state.apply_outcome(state.draw(seed))
    return int(state.players)


class DuplicateMatch(Contest[DealTable, DuplicateResult]):
    """Player A against player B over a list of deals, each played ``2 n`` times by its n players.

    A alone on every seat among B's, then B alone on every seat among A's: see
    :mod:`ludus.arena.deals`.

    Args:
        game: the rules; more than two seats.
        player_a, player_b: the players.
        seeds: one for each deal.
        settings: how to play; ``paired`` must be on.
        figures: makes further figures of each finished game, see
            :data:`~ludus.arena.finished.GameFigures`; keep it fast.

    Raises:
        GameError: a game without more than two seats, or a deal with fewer.
        UserError: unpaired games.
    """

    unit = "deals"

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
        if game.num_seats <= 2:
            raise GameError(
                f"duplicate deals are for more than two seats, but {game.name} has "
                f"{game.num_seats}: play seed pairs"
            )
        how = settings or MatchSettings()
        if not how.paired:
            raise UserError("all games of a deal have its seed: unpaired games are for two seats")
        self.deal_players: npt.NDArray[np.int64] = np.array(
            [players_of_deal(game, int(seed)) for seed in seeds.seeds], dtype=np.int64
        )
        if self.deal_players.min() < 2:
            raise GameError(f"{game.name} has a deal for one player: nobody to compare with")
        super().__init__(game, player_a, player_b, seeds, how, figures)

    def plan(self) -> Plan:
        """First A alone on each seat in turn, then B."""
        seats: list[npt.NDArray[np.int8]] = []
        for n in self.deal_players.tolist():
            alone = np.zeros((2, n, self.game.num_seats), np.int8)
            alone[0, :, :n] = 1 - np.eye(n, dtype=np.int8)
            alone[1, :, :n] = np.eye(n, dtype=np.int8)
            seats.append(alone.reshape(2 * n, -1))
        units = np.repeat(np.arange(len(self.deal_players)), 2 * self.deal_players)
        return Plan(units, self.seeds.seeds[units], np.concatenate(seats))

    def new_table(self) -> DealTable:
        """A table in which no game is finished."""
        return DealTable(self.game, self.deal_players)

    def result(self, units: int | None = None) -> DuplicateResult:
        """The figures of the first so many deals, or of the finished prefix.

        Raises:
            ValueError: no deal, or one that is not finished.
        """
        return DuplicateResult.of(
            self._table,
            self.units_finished if units is None else units,
            players=self.names,
            seeds=(self.seeds.id, self.seeds.hash),
        )

    def standing(self) -> str:
        """The mean difference so far, in words; empty before the first deal."""
        deals = self.units_finished
        if not deals:
            return ""
        return f"{self._table.differences(deals).mean():+.2f} points a round"


AnyMatch = Match | DuplicateMatch
"""A match, by seed pairs or by deals."""


def make_match(
    game: _core.Game,
    player_a: Player,
    player_b: Player,
    seeds: SeedSet,
    settings: MatchSettings | None = None,
    *,
    figures: GameFigures | None = None,
) -> AnyMatch:
    """The kind of match that a game's seats ask for: seed pairs for two, deals for more.

    Raises: as :class:`~ludus.arena.match.Match` and :class:`DuplicateMatch`.
    """
    kind = Match if game.num_seats <= 2 else DuplicateMatch
    return kind(game, player_a, player_b, seeds, settings, figures=figures)
