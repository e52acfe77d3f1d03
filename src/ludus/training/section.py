"""What all sections of the settings are."""

from __future__ import annotations

from typing import Any

from pydantic import BaseModel, ConfigDict


def may_change(**extra: Any) -> dict[str, Any]:
    """Marks a setting that may change in a run's life."""
    return {"changeable": True, **extra}


def next_iteration() -> dict[str, Any]:
    """Marks a setting that may change and decides what is learned.

    A change waits for the beginning of the next iteration, so that every game of an iteration is
    played alike and a resumed run does what an undisturbed one does.
    """
    return may_change(next_iteration=True)


class Section(BaseModel):
    """Settings of one concern: frozen, unknown keys refused."""

    model_config = ConfigDict(frozen=True, extra="forbid")
