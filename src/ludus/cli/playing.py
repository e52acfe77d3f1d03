"""What the commands that play games have in common."""

from __future__ import annotations

import os
from collections.abc import Callable

from ludus.errors import UserError

MATCH_SLICE = 0.25
"""Seconds between two updates of the progress."""


def lanes_or_default(lanes: int) -> int:
    """Threads that play: as asked, or one for each core that the process may use.

    Raises:
        UserError: a negative number, or more than 256.
    """
    if not 0 <= lanes <= 256:
        raise UserError(f"--lanes {lanes} must lie in 0..256, where 0 means one a core")
    return lanes or len(os.sched_getaffinity(0))


def prepare_threads() -> None:
    """Lanes are the threads: torch gets none of its own."""
    import torch

    torch.set_num_threads(1)


def percent(rate: float) -> str:
    """A share for people."""
    return f"{100.0 * rate:.2f} %"


def drive(advance: Callable[[float], bool], show: Callable[[], None]) -> None:
    """Call ``advance(seconds)`` until it says that nothing is left, with progress in between."""
    while advance(MATCH_SLICE):
        show()
    show()
