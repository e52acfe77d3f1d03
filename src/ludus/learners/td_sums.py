"""Figures of learning by TD(lambda) on pattern tables."""

from __future__ import annotations

from dataclasses import dataclass, fields


@dataclass
class TdSums:
    """What games add up to; exact in any order up to 2**53 but for the errors.

    Attributes:
        games: number of them.
        plies: of all games.
        draws: games without a winner.
        wins: of black.
        differences: discs of black less those of white.
        difference_squares: of them.
        updates: positions learned from.
        errors: sum of absolute TD errors in discs.
        error_squares: sum of their squares.
        values: sum of the positions' values for black in discs.
        value_squares: sum of their squares.
        searches: of moves, where self-play searches.
        depth: plies that they looked ahead, summed.
        exact: searches that proved their score.
        nodes: positions that they looked at.
        probes: look-ups in transposition tables.
        hits: those that found their position.
        fresh: entries that were updated for the first time.
    """

    games: int = 0
    plies: int = 0
    draws: int = 0
    wins: int = 0
    differences: float = 0.0
    difference_squares: float = 0.0
    updates: int = 0
    errors: float = 0.0
    error_squares: float = 0.0
    values: float = 0.0
    value_squares: float = 0.0
    searches: int = 0
    depth: int = 0
    exact: int = 0
    nodes: int = 0
    probes: int = 0
    hits: int = 0
    fresh: int = 0

    def add(self, other: TdSums) -> None:
        """Count what another has counted."""
        for one in fields(self):
            setattr(self, one.name, getattr(self, one.name) + getattr(other, one.name))

    @property
    def error(self) -> float | None:
        """Mean absolute TD error in discs; None before the first update."""
        return self.errors / self.updates if self.updates else None

    @property
    def error_variance(self) -> float | None:
        """Mean squared TD error in discs squared; None before the first update."""
        return self.error_squares / self.updates if self.updates else None

    @property
    def value_variance(self) -> float | None:
        """Variance of the positions' values in discs squared; None before the first update."""
        if not self.updates:
            return None
        mean = self.values / self.updates
        return self.value_squares / self.updates - mean * mean

    @property
    def score_variance(self) -> float | None:
        """Variance of the disc difference; None before the first game."""
        if not self.games:
            return None
        mean = self.differences / self.games
        return self.difference_squares / self.games - mean * mean

    @property
    def first_rate(self) -> float:
        """Win rate of black, draws half."""
        return (self.wins + self.draws / 2) / max(1, self.games)


@dataclass(frozen=True)
class Visits:
    """How much of the tables has been learned.

    Attributes:
        share: of entries with an update.
        mean: updates of all entries.
        mean_visited: updates of those with one.
    """

    share: float
    mean: float
    mean_visited: float


@dataclass(frozen=True)
class Repair:
    """An entry whose weight was no number and is neutral again, or was out of range and is bounded.

    Attributes:
        pattern: its number in the set.
        stage: of the tables.
        index: contents of the pattern.
        weight: that it would have had, in discs.
    """

    pattern: int
    stage: int
    index: int
    weight: float
