"""Guards: what watches a run and steps in, built once around the loop for every recipe."""

from ludus.training.guards.alerts import AlertGuard
from ludus.training.guards.base import Guard, GuardState, Hold, Moment, ReturnToGood
from ludus.training.guards.disk import DiskGuard
from ludus.training.session import Session

__all__ = [
    "AlertGuard",
    "DiskGuard",
    "Guard",
    "GuardState",
    "Hold",
    "Moment",
    "ReturnToGood",
    "make_guards",
]


def make_guards(session: Session) -> list[Guard]:
    """All guards of a run, in the order in which they look."""
    return [DiskGuard(), AlertGuard(session)]
