"""What all sections of the settings are."""

from __future__ import annotations

from typing import Any

from pydantic import BaseModel, ConfigDict


def may_change(**extra: Any) -> dict[str, Any]:
    """Marks a setting that may change in a run's life."""
    return {"changeable": True, **extra}


class Section(BaseModel):
    """Settings of one concern: frozen, unknown keys refused."""

    model_config = ConfigDict(frozen=True, extra="forbid")
