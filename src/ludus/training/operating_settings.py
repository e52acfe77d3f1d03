"""Settings of the operation of a run: guards, alerts, logs, what is measured on the way.

None of them changes what is learned, so all may change in a run's life.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import Field

from ludus.training.alerts.settings import AlertRule, AlertSettings
from ludus.training.section import Section, may_change

__all__ = [
    "AlertRule",
    "AlertSettings",
    "GuardSettings",
    "LoggingSettings",
    "MetricsSettings",
    "only_at_start",
]


class GuardSettings(Section):
    """When the run protects itself."""

    error_window_games: int = Field(
        10_000,
        ge=100,
        json_schema_extra=may_change(),
        description="Games over which errors are counted.",
    )
    error_rate: float = Field(
        0.01,
        gt=0,
        le=1,
        json_schema_extra=may_change(),
        description="Share of the games of a window with an error past which the run pauses.",
    )
    fallback_rate: float = Field(
        0.01,
        gt=0,
        le=1,
        json_schema_extra=may_change(),
        description="Share of decisions whose search gave no policy past which the run pauses.",
    )
    memory_mb: int | None = Field(
        None,
        ge=64,
        json_schema_extra=may_change(),
        description="Memory of the trainer in MB; null: four fifths of the machine or container.",
    )
    memory_growth_mb: float = Field(
        500.0,
        gt=0,
        json_schema_extra=may_change(),
        description="Growth in MB since the end of the warm-up that raises an alert.",
    )
    watchdog_seconds: float = Field(
        30.0,
        ge=5,
        le=3600,
        json_schema_extra=may_change(),
        description="Without progress for so long, the trainer is restarted.",
    )


class LoggingSettings(Section):
    """The log of the trainer process (``logs/training_*.log``)."""

    level: Literal["debug", "info", "warning", "error"] = Field(
        "info", json_schema_extra=may_change(), description="Least level that is written."
    )
    json_output: bool = Field(
        False, json_schema_extra=may_change(), description="One JSON object a line."
    )


class MetricsSettings(Section):
    """What is measured on the way, and where it goes besides ``logs/metrics.ndjson``."""

    game_stats_every: int = Field(
        100, ge=1, json_schema_extra=may_change(), description="Games between two game_stats."
    )
    game_details_every: int = Field(
        10_000, ge=1, json_schema_extra=may_change(), description="Games between two game_details."
    )
    export_interval: float = Field(
        30.0,
        ge=0.1,
        le=3600,
        json_schema_extra=may_change(),
        description="Seconds between two looks of the sinks at the run.",
    )
    sinks: tuple[Literal["tensorboard", "wandb", "braintrust"], ...] = Field(
        (),
        json_schema_extra=may_change(only_at_start=True),
        description="Sinks that are fed while the run works, by a process of their own.",
    )
    prometheus_port: Annotated[int, Field(ge=0, le=65535)] | None = Field(
        None,
        json_schema_extra=may_change(only_at_start=True),
        description="Port of /metrics on 127.0.0.1; 0: any free one; null: none.",
    )


def only_at_start(extra: Any) -> bool:
    """Whether a setting may only be given when the run is started, never by SET."""
    return isinstance(extra, dict) and bool(extra.get("only_at_start"))
