"""Remaining time, from the work of this process, with elapsed time carried through resumes."""

from __future__ import annotations

import math
import time
from collections.abc import Callable


class Eta:
    """An exponential moving average of work per second.

    Work is any amount that grows evenly: games, steps, or a weighted share of all. What earlier
    processes did counts as done but never into the speed, so the figure is right after a resume.
    """

    def __init__(
        self,
        total: float | None,
        *,
        done: float = 0.0,
        elapsed_seconds: float = 0.0,
        half_life_seconds: float = 60.0,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """Start the clock.

        Args:
            total: the amount at which the work is finished; None if there is no end.
            done: the amount done when this process starts.
            elapsed_seconds: time spent by earlier processes.
            half_life_seconds: after this long, work counts half.
            clock: seconds, monotonic.
        """
        self.total = total
        self.done = done
        self._before = elapsed_seconds
        self._half_life = half_life_seconds
        self._clock = clock
        self._start = self._last = clock()
        self._work = self._time = 0.0

    def update(self, done: float) -> None:
        """Tell the amount done by now (all processes). Going back adds no negative work."""
        now = self._clock()
        seconds = max(0.0, now - self._last)  # monotonic clocks were seen to go back
        fade = math.exp2(-seconds / self._half_life)
        self._work = self._work * fade + max(0.0, done - self.done)
        self._time = self._time * fade + seconds
        self._last, self.done = now, done

    def skip(self) -> None:
        """Leave the time since the last update out of the speed: it was a pause."""
        self._last = self._clock()

    @property
    def rate(self) -> float | None:
        """Work per second; None until something was done in this process."""
        return self._work / self._time if self._time > 0.0 and self._work > 0.0 else None

    @property
    def elapsed_seconds(self) -> float:
        """Seconds spent, with those of earlier processes."""
        return self._before + max(0.0, self._clock() - self._start)

    @property
    def remaining_seconds(self) -> float | None:
        """Seconds left at the present speed; None if unknown, 0 when finished."""
        if self.total is None:
            return None
        left = self.total - self.done
        if left <= 0.0:
            return 0.0
        return left / self.rate if self.rate else None

    def text(self) -> str:
        """The remaining time for people, e.g. ``2 d 4 h``, or ``unknown``."""
        return duration_text(self.remaining_seconds)


def duration_text(seconds: float | None) -> str:
    """A duration in its two largest units: ``45 s``, ``3 min 20 s``, ``2 d 4 h``."""
    if seconds is None or not math.isfinite(seconds):
        return "unknown"
    whole = max(0, round(seconds))
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min {whole % 60} s"
    if whole < 86400:
        return f"{whole // 3600} h {whole % 3600 // 60} min"
    return f"{whole // 86400} d {whole % 86400 // 3600} h"
