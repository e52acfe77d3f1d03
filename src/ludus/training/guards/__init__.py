"""Guards: what watches a run and steps in, built once around the loop for every recipe."""

from ludus.training.guards.accounts import memory_report
from ludus.training.guards.alerts import AlertGuard
from ludus.training.guards.base import (
    Guard,
    GuardState,
    Hold,
    Moment,
    Rebuild,
    RestartError,
    ReturnToGood,
)
from ludus.training.guards.disk import DiskGuard
from ludus.training.guards.errors import ErrorsGuard
from ludus.training.guards.fallbacks import FallbacksGuard
from ludus.training.guards.memory import MemoryGuard
from ludus.training.guards.numbers import NumbersGuard
from ludus.training.guards.saves import SavesGuard
from ludus.training.session import Session

__all__ = [
    "AlertGuard",
    "DiskGuard",
    "ErrorsGuard",
    "FallbacksGuard",
    "Guard",
    "GuardState",
    "Hold",
    "MemoryGuard",
    "Moment",
    "NumbersGuard",
    "Rebuild",
    "RestartError",
    "ReturnToGood",
    "SavesGuard",
    "make_guards",
    "memory_report",
]


def make_guards(session: Session) -> list[Guard]:
    """All guards of a run, in the order in which they look."""
    return [
        DiskGuard(),
        SavesGuard(),
        ErrorsGuard(),
        FallbacksGuard(),
        NumbersGuard(),
        MemoryGuard(),
        AlertGuard(session),
    ]
