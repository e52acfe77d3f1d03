"""A bound for storms of log lines: what repeats is counted instead of written."""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass

REPEATS = 5
"""Equal lines that are written before they are only counted."""

EVERY_SECONDS = 60.0
"""Pause between two lines for what is being counted."""

BURST = 500
"""Lines of any content that may come at once."""

LINES_A_SECOND = 2.0
"""Lines of any content that may come in the long run."""

_KEYS = 1024  # different lines that are remembered

Key = tuple[int, str, str]
"""Level, component, message."""


@dataclass
class _Seen:
    written: int = 0
    suppressed: int = 0
    last: float = 0.0


class StormLimit:
    """Decides line by line; not for several threads at once.

    Equal lines: :data:`REPEATS`, then one every :data:`EVERY_SECONDS` with the number of those that
    were left out. Different lines: a bucket of :data:`BURST` that fills by :data:`LINES_A_SECOND`.
    """

    def __init__(self) -> None:
        """Begin with a full bucket."""
        self._seen: OrderedDict[Key, _Seen] = OrderedDict()
        self._tokens = float(BURST)
        self._last: float | None = None
        self._overflow = 0
        self._sweep = 0.0

    def take(self, key: Key, now: float) -> int | None:
        """Whether a line may be written.

        Args:
            key: lines with the same key are equal.
            now: seconds, monotonic.

        Returns: how many equal lines were left out before it; None if it is left out too.
        """
        if self._last is not None:
            gained = LINES_A_SECOND * max(0.0, now - self._last)
            self._tokens = min(float(BURST), self._tokens + gained)
        self._last = now
        seen = self._seen.get(key)
        if seen is None:
            seen = self._seen[key] = _Seen()
            if len(self._seen) > _KEYS:
                self._overflow += self._seen.popitem(last=False)[1].suppressed
        self._seen.move_to_end(key)
        if now - seen.last >= EVERY_SECONDS and seen.suppressed == 0:
            seen.written = 0  # it was quiet for so long: a new series
        full = seen.written >= REPEATS and now - seen.last < EVERY_SECONDS
        if full or self._tokens < 1.0:
            seen.suppressed += 1
            return None
        self._tokens -= 1.0
        left_out, seen.suppressed = seen.suppressed, 0
        seen.written += 1
        seen.last = now
        return left_out

    def due(self, now: float, *, end: bool = False) -> list[tuple[Key | None, int]]:
        """Counts that should be told, because nothing equal came since; they are told once.

        Args:
            now: seconds, monotonic.
            end: no more lines will come, so tell all.

        Returns: key (None for many different ones) and number of lines left out.
        """
        found: list[tuple[Key | None, int]] = []
        if not end and now < self._sweep:
            return found
        self._sweep = now + EVERY_SECONDS / 6
        rest = self._overflow
        for key, seen in self._seen.items():
            if not seen.suppressed or (not end and now - seen.last < EVERY_SECONDS):
                continue
            if len(found) < 20:
                found.append((key, seen.suppressed))
            else:
                rest += seen.suppressed
            seen.suppressed, seen.last = 0, now
        if rest and (end or found):
            found.append((None, rest))
            self._overflow = 0
        elif rest:
            self._overflow = rest
        return found
