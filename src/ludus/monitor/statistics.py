"""Numbers of a run for notebooks and scripts: convergence, memory, time left, everything as JSON.

It reads the run directory, as every monitor does; the training need not run.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from ludus.monitor.view import RunReader, RunView, number, table
from ludus.runs import Run, read_ndjson, replace_file
from ludus.training.health.analysis import STAGNATION_GAMES
from ludus.training.health.trends import since_decrease

ROLLING_GAMES = 10_000
"""Games of the rolling mean of score differences."""

RECENT_ERRORS = 20
"""Events of errors that are told."""

ERROR_EVENTS = (
    "failed",
    "restarted",
    "worker_failed",
    "games_failed",
    "divergence",
    "returned_to_good",
    "save_failed",
    "callback_failed",
    "error_report",
)
"""Events that tell of an error."""


class RunStatistics:
    """All statistics of one run, as they are when they are asked for.

    Example:
        >>> statistics = RunStatistics("runs/othello")  # doctest: +SKIP
        >>> statistics.convergence()["pattern_coverage"]  # doctest: +SKIP
        31.4
    """

    def __init__(self, run: str | Path) -> None:
        """Look at a run.

        Args:
            run: the run directory.

        Raises:
            RunError: it is none.
        """
        self.path = Run.open(run, write=False).path
        self._reader = RunReader(self.path)

    def _look(self) -> RunView:
        return self._reader.look()

    def statistics(self) -> dict[str, Any]:
        """Every figure of the run by name (``docs/metrics.md``); None where unknown."""
        view = self._look()
        return {**view.figures, "state": view.state, "counters": table(view.status.get("counters"))}

    def convergence(self) -> dict[str, Any]:
        """Whether the learning has settled.

        Returns: ``score_difference``: mean of seat 0's points less seat 1's over the newest
            10,000 games that records tell of; ``value_error_variance``: of the newest window of
            games (``table_stats``), without tables of the newest iteration; of tables, else None,
            ``pattern_coverage`` (percent of entries with an update), ``updated_entries`` (their
            number), ``mean_updates`` (of all entries), ``mean_updates_of_updated`` and
            ``variances`` (of the value error, window by window, oldest first);
            ``games_without_progress``; ``stagnation_detected``: 50,000 games without a decrease of
            the variance, the loss, or a rise of the rating; ``findings``: sentences of learning
            health.
        """
        view = self._look()
        last = table(next((e for e in reversed(view.iterations) if e.get("selfplay")), None))
        played, health = table(last.get("selfplay")), table(view.status.get("health"))
        records, _ = read_ndjson(self.path / "logs" / "metrics.ndjson")
        windows = [one for one in records if one.get("event") == "table_stats"]
        newest = windows[-1] if windows else played
        share = number(newest.get("coverage"))
        known = (number(health.get("games_without_progress")), idle_games(windows))
        idle = min((games for games in known if games is not None), default=None)
        return {
            "score_difference": _rolling(records),
            "value_error_variance": number(newest.get("value_error_variance")),
            "pattern_coverage": None if share is None else 100.0 * share,
            "updated_entries": number(newest.get("updated_entries")),
            "mean_updates": number(newest.get("mean_updates")),
            "mean_updates_of_updated": number(newest.get("mean_updates_of_updated")),
            "variances": [one["value_error_variance"] for one in windows] or None,
            "games_without_progress": idle,
            "stagnation_detected": idle is not None and idle >= STAGNATION_GAMES,
            "findings": list(health.get("findings") or ()),
        }

    def errors(self) -> dict[str, Any]:
        """Errors that the run has survived.

        Returns: ``totals`` by kind since the run's birth (``ludus.training.book``), ``examples``
            (the first and last of each kind in the present window of games) and ``recent``: the
            newest events that tell of one, oldest first.
        """
        run = Run.open(self.path, write=False)
        book = table(run.manifest.progress.get("guards"))
        events, _ = read_ndjson(self.path / "logs" / "events.ndjson")
        recent = [one for one in events if one.get("event") in ERROR_EVENTS]
        return {
            "totals": dict(book.get("totals") or {}),
            "examples": dict(book.get("examples") or {}),
            "recent": recent[-RECENT_ERRORS:],
        }

    def memory(self) -> dict[str, float]:
        """Megabytes by component, with ``total``; empty before the first report."""
        report: Mapping[str, Any] = table(self._look().status.get("memory"))
        skipped = ("budget", "growth", "fragmentation")
        return {
            name: round(float(value) / 1e6, 3)
            for name, value in report.items()
            if name not in skipped and isinstance(value, int | float)
        }

    def eta_seconds(self) -> float | None:
        """Seconds to the limit by the present speed; None without a limit, or when nobody works."""
        return number(self._look().status.get("eta_seconds"))

    def export_json(self, path: str | Path) -> Path:
        """Write all of it into a file.

        Args:
            path: of the file; one that is there is replaced as a whole.

        Raises:
            SaveError: it cannot be written.
        """
        document = {
            "run": str(self.path),
            "statistics": self.statistics(),
            "convergence": self.convergence(),
            "memory_mb": self.memory(),
            "errors": self.errors(),
            "eta_seconds": self.eta_seconds(),
            "iterations": self._look().iterations,
        }
        target = Path(path)
        replace_file(target, (json.dumps(document, indent=1) + "\n").encode(), durable=False)
        return target


def _rolling(records: Sequence[Mapping[str, Any]]) -> float | None:
    """Mean score difference over the newest games, weighted by games."""
    games, total = 0, 0.0
    for record in reversed(records):
        difference = record.get("score_difference")
        if record.get("event") != "game_stats" or not isinstance(difference, int | float):
            continue
        count = int(record["games"])
        games, total = games + count, total + count * float(difference)
        if games >= ROLLING_GAMES:
            break
    return total / games if games else None


def idle_games(windows: Sequence[Mapping[str, Any]]) -> float | None:
    """Games of windows since the variance of the value error last fell by more than its noise.

    Args:
        windows: records ``table_stats``, oldest first.

    Returns: None with fewer windows than a mean has, see
        :func:`~ludus.training.health.trends.since_decrease`.
    """
    known = [one for one in windows if number(one.get("value_error_variance")) is not None]
    return since_decrease(
        [float(one["value_error_variance"]) for one in known], [int(one["games"]) for one in known]
    )
