"""What all matches have in common: games by number, played in slices, kept and gone on with.

A match runs through the same slots and lanes as self-play. It goes in slices
(:meth:`Contest.advance`) and can be stopped between any two and gone on with from its
:meth:`Contest.state`: the games are the same, whatever the number of lanes, the slices and the
interruptions.
"""

from __future__ import annotations

import hashlib
from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Generic, TypeVar

import numpy as np
import numpy.typing as npt

from ludus import _core
from ludus.arena.finished import Columns, GameFigures, Table
from ludus.arena.results import Result
from ludus.arena.seeds import SeedSet
from ludus.errors import GameError, RunError, UserError
from ludus.players import Lanes, PhaseSeconds, Player, searchers, slots_settings

_ROWS = 64  # rows of a batch come in this multiple


@dataclass(frozen=True)
class MatchSettings:
    """How a match is played; nothing here changes its results but ``paired``.

    Attributes:
        lanes: threads.
        rows: games of a group for each searching player, a multiple of 64: the batch of a network.
        groups: groups of slots at most; as many lanes can work. More mean more games at a time.
        paired: both games of a pair have the same seed (the default; luck cancels). Without it a
            pair is two games with seats exchanged and a seed each. Games of a deal always share it.
        record: keep the finished games' full records for :meth:`Contest.take_records`.
        openings: lines ``u16[n, plies]`` that games begin with: those of pair i with line i mod n.
            None for the start.
    """

    lanes: int = 1
    rows: int = _ROWS
    groups: int = 2
    paired: bool = True
    record: bool = False
    openings: npt.NDArray[np.uint16] | None = field(default=None, compare=False)

    def __post_init__(self) -> None:
        if self.lanes < 1 or self.groups < 1:
            raise UserError("a match needs at least 1 lane and 1 group")
        if self.rows < _ROWS or self.rows % _ROWS:
            raise UserError(f"rows = {self.rows} of a match must be a positive multiple of {_ROWS}")


@dataclass(frozen=True)
class Plan:
    """The games of a match, by id.

    Attributes:
        units: the unit of statistics that each game belongs to, ``i64[games]``.
        seeds: episode seeds, ``u64[games]``.
        seat_players: who sits where, 0 for A and 1 for B, ``i8[games, num_seats]``.
    """

    units: npt.NDArray[np.int64]
    seeds: npt.NDArray[np.uint64]
    seat_players: npt.NDArray[np.int8]


TableT = TypeVar("TableT", bound=Table)
ResultT = TypeVar("ResultT", bound=Result)


class Contest(ABC, Generic[TableT, ResultT]):
    """Player A against player B over a planned list of games.

    A subclass says which games those are, what of them is kept, and what follows from it.

    Args:
        game: the rules.
        player_a, player_b: the players.
        seeds: what the match was given.
        settings: how to play.
        figures: makes further figures of each finished game, see :data:`GameFigures`. Called
            between slices with a few games at a time; keep it fast.
    """

    unit: str
    """What the statistics count, in the plural: ``pairs``, ``deals``."""

    def __init__(
        self,
        game: _core.Game,
        player_a: Player,
        player_b: Player,
        seeds: SeedSet,
        settings: MatchSettings,
        figures: GameFigures | None,
    ) -> None:
        self.game = game
        self.seeds = seeds
        self.settings = settings
        self.names = (player_a.name, player_b.name)
        self._players: list[Player] = [player_a, player_b]
        self._figures = figures
        self._plan = self.plan()
        self._table = self.new_table()
        self._records: list[Columns] = []
        self._slots, self._lanes = self._prepare()
        self._schedule()

    @abstractmethod
    def plan(self) -> Plan:
        """The games to be played. Called once, first."""

    @abstractmethod
    def new_table(self) -> TableT:
        """A table in which no game is finished."""

    @abstractmethod
    def result(self, units: int | None = None) -> ResultT:
        """The figures of the first so many units, or of the finished prefix.

        Raises:
            ValueError: no unit, or one that is not finished.
        """

    @abstractmethod
    def standing(self) -> str:
        """How it stands, in some words; empty before the first unit."""

    # -- playing -----------------------------------------------------------------------------

    def advance(self, seconds: float) -> bool:
        """Play on for about ``seconds`` or to the end; True while games are left.

        Raises:
            GameError: the rules of an own game raised or broke their word.
            Exception: what a player raised.
        """
        left = self._lanes.advance(seconds)
        failures = self._slots.failures()
        if failures:  # a match without some of its games would say nothing about the players
            raise GameError(f"game {failures[0][0]} of the match was ended: {failures[0][1]}")
        self._absorb()
        return left

    def run(self) -> ResultT:
        """Play to the end and close. For callers that have nothing else to do."""
        try:
            while self.advance(1.0):
                pass
            return self.result()
        finally:
            self.close()

    def close(self) -> None:
        """End the lanes. The results stay readable."""
        self._lanes.close()

    def __enter__(self) -> Contest[TableT, ResultT]:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    # -- how far it is -----------------------------------------------------------------------

    @property
    def games_finished(self) -> int:
        """Finished games, in whatever order."""
        return self._table.finished

    @property
    def games_total(self) -> int:
        """All games of the match."""
        return self._table.games

    @property
    def units(self) -> int:
        """Units of the match."""
        return len(self._table.firsts) - 1

    @property
    def units_finished(self) -> int:
        """Finished units before the first unfinished one."""
        return self._table.prefix

    @property
    def table(self) -> TableT:
        """The finished games."""
        return self._table

    @property
    def seconds(self) -> PhaseSeconds:
        """Where this process's lanes spent their time."""
        return self._lanes.seconds

    def counters(self) -> dict[str, int | float]:
        """Counters of the search in this process (``fallbacks``, ``simulations``, ...)."""
        return dict(self._slots.counters())

    def take_records(self) -> list[Columns]:
        """Full records of games finished since the last call (with ``settings.record``)."""
        records, self._records = self._records, []
        return records

    # -- going on later ----------------------------------------------------------------------

    def state(self) -> tuple[dict[str, npt.NDArray[Any]], dict[str, Any]]:
        """All that :meth:`restore` needs: finished games, and actions of those in flight.

        Returns: arrays by name, and JSON.
        """
        flight = {f"flight.{name}": column for name, column in self._slots.in_flight().items()}
        arrays = {**{name: a.copy() for name, a in self._table.arrays().items()}, **flight}
        return arrays, self._identity()

    def restore(self, arrays: Mapping[str, npt.NDArray[Any]], meta: Mapping[str, Any]) -> None:
        """Go on from a state. Only before the first :meth:`advance`.

        Raises:
            RunError: the state of another match.
            CorruptError: columns are missing or do not fit.
            ValueError: games in flight that contradict the rules.
        """
        wanted = self._identity()
        for key, value in wanted.items():
            if meta.get(key) != value:
                raise RunError(
                    f"the stored match has {key} {meta.get(key)!r}, but this one has {value!r}"
                )
        self._lanes.close()
        self._table = self.new_table()
        self._table.load(arrays)
        self._slots, self._lanes = self._prepare()
        self._schedule()
        flight = {
            name.removeprefix("flight."): column
            for name, column in arrays.items()
            if name.startswith("flight.")
        }
        if flight and len(flight["game_id"]):
            self._slots.restore(flight)
            self._absorb()

    # -- inside ------------------------------------------------------------------------------

    def _identity(self) -> dict[str, Any]:
        lines = self.settings.openings
        digest = None if lines is None else hashlib.sha256(lines.astype("<u2").tobytes())
        return {
            "openings": None if digest is None else digest.hexdigest(),
            "seeds_hash": self.seeds.hash,
            "paired": self.settings.paired,
            "rows": self.settings.rows,
            "groups": self.settings.groups,
            "players": list(self.names),
        }

    def _prepare(self) -> tuple[_core.Slots, Lanes]:
        group = self.settings.rows * max(1, searchers(self._players))
        groups = min(self.settings.groups, -(-self._table.games // group))
        slots = _core.Slots(
            self.game,
            slots=groups * group,
            group_size=group,
            # Players without a tree draw from streams of this seed, the game's id and the ply.
            seed=int(self.seeds.hash[:16], 16),
            players=[slots_settings(player) for player in self._players],
            record=self.settings.record,
        )
        lanes = min(self.settings.lanes, groups)
        return slots, Lanes(slots, self._players, self.game, lanes, group_size=group)

    def _schedule(self) -> None:
        ids = np.flatnonzero(~self._table.done).astype(np.int64)
        lines = self.settings.openings
        openings = None
        if lines is not None:
            self._slots.set_openings(lines.tolist())
            openings = (self._plan.units[ids] % len(lines)).astype(np.int32)
        self._slots.schedule(ids, self._plan.seeds[ids], self._plan.seat_players[ids], openings)

    def _absorb(self) -> None:
        columns = self._slots.finished()
        self._table.absorb(columns, self._figures)
        if self.settings.record and len(columns["game_id"]):
            self._records.append(columns)
