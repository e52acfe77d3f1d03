"""What the history of a run says now: newest gate, rating, strength, means to compare with.

A run of weeks has thousands of records, and these questions are asked several times a second, so
the answers are kept until the history changes.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping
from itertools import islice
from statistics import fmean, median
from typing import Any, TypeVar

from ludus.training.evaluating import strength
from ludus.training.rating import latest, seen_change
from ludus.training.session import PHASES, Session

LAST = 5
"""Earlier iterations that present figures are compared with."""

_LEAST = 3  # of them, before a speed says anything
_Answer = TypeVar("_Answer")


class Past:
    """Questions to a run's history; each is answered once per phase."""

    def __init__(self, session: Session) -> None:
        self._session = session
        self._key: tuple[Any, ...] = ()
        self._kept: dict[str, Any] = {}

    def _once(self, name: str, ask: Callable[[], _Answer]) -> _Answer:
        session = self._session
        run = session.run
        key = (
            id(run.iterations),
            len(run.iterations),
            len(run.iterations[-1]) if run.iterations else 0,
            session.iteration,
            session.phase,
            run.manifest.sequence,
        )
        if key != self._key:
            self._key, self._kept = key, {}
        if name not in self._kept:
            self._kept[name] = ask()
        found: _Answer = self._kept[name]
        return found

    def _newest(self, part: str, field: str) -> Iterator[tuple[Mapping[str, Any], float]]:
        """Records that have a number under ``part.field``, newest first."""
        for entry in reversed(self._session.run.iterations):
            value = (entry.get(part) or {}).get(field)
            if isinstance(value, int | float) and not isinstance(value, bool):
                yield entry, float(value)

    def number(self, part: str, field: str) -> float | None:
        """The newest number under ``part.field``; None if there is none."""
        return self._once(
            f"{part}.{field}",
            lambda: next((value for _, value in self._newest(part, field)), None),
        )

    def rating(self) -> dict[str, Any] | None:
        """The newest rating."""
        return self._once("rating", lambda: latest(self._session.run.iterations))

    def warnings(self) -> list[str]:
        """Sentences of the newest audit."""
        return self._once("warnings", lambda: standing_warnings(self._session.run.iterations))

    def health(self) -> dict[str, Any] | None:
        """The newest health record."""

        def ask() -> dict[str, Any] | None:
            for entry in reversed(self._session.run.iterations):
                if isinstance(entry.get("health"), Mapping):
                    return dict(entry["health"])
            return None

        return self._once("health", ask)

    def strength(self) -> dict[str, float]:
        """Win rates of the newest evaluation by opponent."""

        def ask() -> dict[str, float]:
            for entry in reversed(self._session.run.iterations):
                results = (entry.get("evaluate") or {}).get("results")
                if results:
                    return strength(results)
            return {}

        return self._once("strength", ask)

    def gate(self) -> str | None:
        """The newest gate's decision in words."""

        def ask() -> str | None:
            for entry in reversed(self._session.run.iterations):
                if entry.get("promoted") is not None:
                    word = "promoted" if entry["promoted"] else "kept champion"
                    rate = (entry.get("gate") or {}).get("win_rate")
                    return word if rate is None else f"{word} ({rate:.1%})"
            return None

        return self._once("gate", ask)

    def shares(self, usual: Mapping[str, float]) -> dict[str, float]:
        """Parts of an iteration's time by phase; ``usual`` before one was measured."""
        phases = self._session.phases

        def ask() -> dict[str, float]:
            for entry in reversed(self._session.run.iterations):
                seconds = {name: (entry.get(name) or {}).get("seconds") for name in phases}
                if all(seconds[name] is not None for name in phases if name != "evaluate"):
                    whole = sum(float(value or 0.0) for value in seconds.values())
                    if whole > 0.0:
                        return {
                            name: float(value or 0.0) / whole for name, value in seconds.items()
                        }
            return dict(usual)

        return self._once("shares", ask)

    def usual_loss(self) -> float | None:
        """Mean training loss of the last iterations before the newest that has learned.

        The mean over an iteration's reported steps; a record that lacks it gives its last one.
        """

        def ask() -> float | None:
            found = list(islice(self._losses(), LAST + 1))[1:]
            known = [loss for loss in found if math.isfinite(loss)]
            return fmean(known) if known else None

        return self._once("usual_loss", ask)

    def _losses(self) -> Iterator[float]:
        for entry in reversed(self._session.run.iterations):
            train = entry.get("train")
            if train is None:
                continue
            value = train.get("loss_mean", train.get("loss_total"))
            # The one in progress may have no loss yet; it still is the newest.
            yield float(value) if isinstance(value, int | float) else math.nan

    def usual_speed(self, budgets: object) -> float | None:
        """Median of simulations a second of the last iterations with equal budgets and lanes."""

        def ask() -> float | None:
            found: list[float] = []
            for entry, value in self._newest("selfplay", "leaves_per_second"):
                record = entry["selfplay"]
                same = (record.get("budgets"), record.get("lanes")) == (
                    budgets,
                    self._session.lanes,
                )
                if same and entry["iteration"] != self._session.iteration:
                    found.append(value)
                if len(found) == LAST:
                    break
            return median(found) if len(found) >= _LEAST else None

        return self._once("usual_speed", ask)

    def elo(self) -> dict[str, float | None]:
        """Changes of the rating: seen, by ten games, by twenty minutes of work."""

        def ask() -> dict[str, float | None]:
            rating = latest(self._session.run.iterations)
            change = None if rating is None else seen_change(rating)
            games, seconds = self._between_ratings()
            return {
                "elo_change": change,
                "elo_per_10_games": None if change is None or not games else 10 * change / games,
                "elo_per_20_minutes": None
                if change is None or not seconds
                else 1200 * change / seconds,
            }

        return self._once("elo", ask)

    def _between_ratings(self) -> tuple[int, float]:
        """Games of self-play and seconds of work from the rating before to the newest."""
        rated = 0
        games, seconds = 0, 0.0
        for entry in reversed(self._session.run.iterations):
            rated += (entry.get("evaluate") or {}).get("rating") is not None
            if rated == 2:
                break
            if rated:
                games += int((entry.get("selfplay") or {}).get("games") or 0)
                seconds += sum(
                    float((entry.get(name) or {}).get("seconds") or 0.0) for name in PHASES
                )
        return games, seconds


def standing_warnings(iterations: list[dict[str, Any]]) -> list[str]:
    """Sentences of the newest audit of a run, for the status; empty when all is well.

    Args:
        iterations: records of the run's iterations, oldest first.
    """
    for entry in reversed(iterations):
        if "audit" in entry:
            return [str(one["text"]) for one in entry["audit"].get("findings", ())]
    return []
