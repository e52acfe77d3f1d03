"""How the kit says that something is wrong, and how it counts what it asked."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any


class Tally:
    """How many checks were made."""

    def __init__(self) -> None:
        """None yet."""
        self.checks = 0


_tally: ContextVar[Tally | None] = ContextVar("tally", default=None)


@contextmanager
def tallied() -> Iterator[Tally]:
    """Count the checks that are made inside."""
    tally = Tally()
    token = _tally.set(tally)
    try:
        yield tally
    finally:
        _tally.reset(token)


def _count() -> None:
    tally = _tally.get()
    if tally is not None:
        tally.checks += 1


def require(subject: Any, where: str, holds: bool, wrong: str) -> None:
    """Raise AssertionError "<name>, <where>: <wrong>." unless ``holds``."""
    _count()
    if not holds:
        raise AssertionError(f"{getattr(subject, 'name', subject)}, {where}: {wrong}.")


def refuses(subject: Any, where: str, call: Callable[[], object], what: str) -> None:
    """Require that ``call`` raises ValueError (``ludus.errors.GameError`` is one)."""
    _count()
    try:
        call()
    except ValueError:
        return
    raise AssertionError(
        f"{getattr(subject, 'name', subject)}, {where}: {what} was accepted; "
        "it must raise ludus.errors.GameError."
    )
