"""Clocks that jump: the time of day against the time that only goes forward.

Nothing in a run depends on the time of day, but whoever reads its logs does: a jump is an event.
"""

from __future__ import annotations

import time
from collections.abc import Callable

JUMP_SECONDS = 5.0
"""Between two looks, beyond which it is told. Less is what time servers mend all the time."""


class ClockWatch:
    """Notices when the time of day jumps."""

    def __init__(
        self,
        wall: Callable[[], float] | None = None,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        """Begin with the time as it is.

        Args:
            wall: seconds since 1970; ``time.time`` by default.
            monotonic: seconds that only go forward; they stand while the machine sleeps.
        """
        self._wall, self._monotonic = wall or (lambda: time.time_ns() / 1e9), monotonic
        self._apart = self._wall() - self._monotonic()

    def jump(self) -> float | None:
        """Seconds by which the time of day has jumped since the last look; None for none."""
        apart = self._wall() - self._monotonic()
        jumped, self._apart = apart - self._apart, apart
        return jumped if abs(jumped) > JUMP_SECONDS else None


def jump_text(seconds: float) -> str:
    """A sentence about a jump."""
    if seconds < 0.0:
        return f"the clock was set back by {-seconds:.0f} s"
    return f"the clock went forward by {seconds:.0f} s: it was set, or the machine slept"
