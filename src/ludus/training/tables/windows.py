"""Records of learning over windows of games: ``table_stats``."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from ludus.learners.td_sums import TdSums
from ludus.training.tables.session import TableSession

BLOCKS = 2
"""Blocks of ``metrics.game_details_every`` games in a window: to look at the updates of all entries
takes 10 ms, in which nobody learns."""


class Windows:
    """Writes ``table_stats`` whenever so many games have been learned from.

    Windows begin with the iteration and are whole batches; the clock decides nothing of a record
    but its times. So a run that was killed has the same records.
    """

    def __init__(self, session: TableSession, saved: dict[str, Any] | None) -> None:
        """Begin a window, or go on with the one that was committed.

        Args:
            session: of the run.
            saved: of :meth:`save`.
        """
        self._session = session
        self._first = session.learner.games if saved is None else int(saved["first"])
        self._sums = TdSums() if saved is None else TdSums(**saved["sums"])

    @property
    def end(self) -> int:
        """The game that ends the window; :meth:`add` gets none beyond its batch."""
        return self._first + BLOCKS * self._session.settings.metrics.game_details_every

    def add(self, sums: TdSums) -> None:
        """Count games that were learned from, and write the record that is due."""
        self._sums.add(sums)
        session, learner = self._session, self._session.learner
        if learner.games < self.end:
            return
        mine = self._sums
        visits = learner.visits()
        session.run.metrics.append(
            "table_stats",
            step=learner.games,
            iteration=session.iteration,
            first_game=self._first,
            games=mine.games,
            loss=mine.error,
            value_error_variance=mine.error_variance,
            value_mean=mine.values / mine.updates if mine.updates else None,
            value_variance=mine.value_variance,
            coverage=visits.share,
            updated_entries=round(visits.share * learner.parameters),
            mean_updates=visits.mean,
            mean_updates_of_updated=visits.mean_visited,
            epsilon=learner.epsilon,
            learning_rate=learner.rate,
            elapsed_seconds=session.run.elapsed_seconds,
        )
        self._first, self._sums = learner.games, TdSums()

    def save(self) -> dict[str, Any]:
        """The window in progress, for a commit."""
        return {"first": self._first, "sums": asdict(self._sums)}
