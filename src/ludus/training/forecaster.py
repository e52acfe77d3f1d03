"""When the forecast of a run is told, and how much is to come until its limit."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace

from ludus.training.forecast import DAY, Forecast, measure
from ludus.training.session import Session
from ludus.training.settings import Settings

_REFINED = (1, 2, 5, 10, 50, 100, 500, 1000)
"""Iterations of this process after which the forecast is told anew."""

_NEWEST = 5
"""Iterations of this process whose mean says how long the next ones take."""


class Forecaster:
    """Tells the forecast at the start of a run, and again when iterations were measured."""

    def __init__(self, session: Session, seconds_left: Callable[[], float | None]) -> None:
        """Prepare.

        Args:
            session: of the run.
            seconds_left: until the time is over, if it is limited.
        """
        self._session = session
        self._seconds_left = seconds_left
        self._first = session.iteration
        self._told: int | None = None

    def look(self) -> None:
        """Tell what is due; call it before each phase."""
        session = self._session
        if session.phase != session.phases[0] and self._told is not None:
            return
        finished = session.iteration - self._first
        if self._told == finished or (self._told is not None and finished not in _REFINED):
            return
        self._told = finished
        forecast = self._forecast()
        session.forecast = forecast.as_json()
        session.run.events.append_if_possible("forecast", **session.forecast)
        session.note(f"forecast: {forecast.text()}")
        for warning in forecast.warnings.values():
            session.run.events.append_if_possible("notice", message=warning)
            session.note(f"warning: {warning}")

    def _forecast(self) -> Forecast:
        """Sizes and times, as far as they can be known now."""
        session = self._session
        seconds = [
            # The time of day may have been set back meanwhile.
            max(0.0, (entry["finished_ms"] - entry["started_ms"]) / 1000.0)
            for entry in session.run.iterations[-_NEWEST:]
            if entry.get("finished_ms") and entry["iteration"] >= self._first
        ]
        mean = sum(seconds) / len(seconds) if seconds else None
        each = max(1, session.settings.selfplay.games_in(session.iteration))
        games = self._games_left()
        times = [] if mean is None or games is None else [games / each * mean]
        until = self._seconds_left()
        if until is not None:
            times.append(until)
            if mean is not None:
                most = int(until / max(mean, 1e-3) * each)
                games = most if games is None else min(games, most)
        left = min(times, default=None)
        forecast = measure(session, games)
        if forecast.at_limit and left is not None and forecast.disk_a_day is not None:
            kept = forecast.disk["kept"] + int(forecast.disk_a_day * left / DAY)
            disk = {**forecast.disk, "kept": kept}
            forecast = replace(forecast, disk=disk, disk_total=sum(disk.values()))
        return replace(forecast, iteration_seconds=mean, seconds_left=left)

    def _games_left(self) -> int | None:
        """Games until a limit of iterations or games; None without one."""
        session = self._session
        return games_to_come(
            session.settings,
            session.limits,
            iteration=session.iteration,
            games=session.run.counters["selfplay_games"],
        )


def games_to_come(
    settings: Settings, limits: Mapping[str, int | None], *, iteration: int = 0, games: int = 0
) -> int | None:
    """Games that a run plays until a limit of iterations or games; None without one.

    Args:
        settings: of the run.
        limits: those of the command: ``iterations``, ``games``.
        iteration: iterations done.
        games: games done.
    """
    run = settings.run
    until = least(run.total_iterations, limits.get("iterations"))
    play = settings.selfplay
    left = None if until is None else play.games_before(until) - play.games_before(iteration)
    played = least(run.total_games, limits.get("games"))
    found = least(left, None if played is None else played - games)
    return None if found is None else max(0, found)


def least(*limits: int | None) -> int | None:
    """The limit that is reached first; None if there is none.

    Args:
        limits: numbers, or None for one that is not set.
    """
    known = [limit for limit in limits if limit is not None]
    return min(known) if known else None
