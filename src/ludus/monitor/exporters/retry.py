"""Trying again: what a network refuses now it often takes a second later."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TypeVar

from ludus.logs import get_logger

T = TypeVar("T")

ATTEMPTS = 3
FACTOR = 2.0
RETRIED: tuple[type[Exception], ...] = (ConnectionError, TimeoutError, RuntimeError)
"""Kinds of errors after which another attempt makes sense; others are raised at once."""

_LOG = get_logger("monitor.exporters")


def with_retry(
    action: Callable[[], T],
    path: object,
    *,
    attempts: int = ATTEMPTS,
    factor: float = FACTOR,
    sleep: Callable[[float], None] = time.sleep,
    tell: Callable[[str], None] = _LOG.warning,
) -> T:
    """Do something, several times if need be.

    Args:
        action: what to do.
        path: what it is done with (a file, a service), for the log.
        attempts: how often at most, at least 1.
        factor: the wait after failed attempt k (from 0) is ``factor ** k`` seconds: 1 s, 2 s.
        sleep: waits.
        tell: takes one sentence for each failed attempt.

    Returns: what the action returns.

    Raises:
        Exception: that of the last attempt; at once if it is none of :data:`RETRIED`.
    """
    for attempt in range(attempts):
        try:
            return action()
        except RETRIED as error:
            last = attempt + 1 >= attempts
            delay = factor**attempt
            wait = "giving up" if last else f"trying again in {delay:.1f} s"
            tell(
                f"attempt {attempt + 1} of {attempts} with {path} failed: "
                f"{type(error).__name__}: {error}; {wait}"
            )
            if last:
                raise
        sleep(delay)
    raise ValueError(f"attempts = {attempts} must be at least 1")
