"""Numbers of a run for notebooks and scripts: convergence, memory, time left, everything as JSON.

It reads the run directory, as every monitor does; the training need not run.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ludus.monitor.view import RunReader, RunView, number, table
from ludus.runs import Run, replace_file
from ludus.training.health.analysis import STAGNATION_GAMES

ROLLING_GAMES = 10_000
"""Games of the rolling mean of score differences."""


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
            10,000 games that records tell of; ``value_error_variance``: of the newest iteration;
            ``pattern_coverage``: percent of table entries with an update, None without tables;
            ``mean_updates``: of such an entry; ``stagnation_detected``: 50,000 games without a
            decrease of the variance, the loss, or a rise of the rating; ``findings``: sentences of
            learning health.
        """
        view = self._look()
        last = table(next((e for e in reversed(view.iterations) if e.get("selfplay")), None))
        played, health = table(last.get("selfplay")), table(view.status.get("health"))
        idle = number(health.get("games_without_progress"))
        share = number(played.get("coverage"))
        return {
            "score_difference": self._rolling(),
            "value_error_variance": number(played.get("value_error_variance")),
            "pattern_coverage": None if share is None else 100.0 * share,
            "mean_updates": number(played.get("mean_updates")),
            "stagnation_detected": idle is not None and idle >= STAGNATION_GAMES,
            "findings": list(health.get("findings") or ()),
        }

    def _rolling(self) -> float | None:
        """Mean score difference over the newest games, weighted by games."""
        from ludus.runs import read_ndjson

        records, _ = read_ndjson(self.path / "logs" / "metrics.ndjson")
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
            "eta_seconds": self.eta_seconds(),
            "iterations": self._look().iterations,
        }
        target = Path(path)
        replace_file(target, (json.dumps(document, indent=1) + "\n").encode(), durable=False)
        return target
