"""Settings of learning pattern tables by temporal differences."""

from __future__ import annotations

from pydantic import Field, model_validator

from ludus.training.schedules import Schedule
from ludus.training.section import Section, next_iteration


class TdSettings(Section):
    """Pattern tables and TD(lambda); nothing of it concerns networks."""

    patterns: str = Field(
        "standard",
        description="Pattern set: standard, or a file with a pattern a line, 'name: a1 b1 c1'.",
    )
    depth: int | None = Field(
        None,
        ge=1,
        le=60,
        json_schema_extra=next_iteration(),
        description="Plies that self-play searches; none: 1, or as many as milliseconds allow.",
    )
    milliseconds: float = Field(
        0.0,
        ge=0,
        le=60_000,
        json_schema_extra=next_iteration(),
        description="Time of a move of self-play; 0: no limit. With one, results depend on the "
        "machine's speed: no run is the same twice.",
    )
    endgame: int = Field(
        0,
        ge=0,
        le=24,
        json_schema_extra=next_iteration(),
        description="Empty squares from which on self-play is played out exactly.",
    )
    table_mb: float = Field(
        16.0,
        ge=0.1,
        le=4096,
        json_schema_extra=next_iteration(),
        description="Transposition table of each lane, where self-play searches.",
    )
    opening: int = Field(
        0,
        ge=0,
        le=40,
        json_schema_extra=next_iteration(),
        description="Games begin with up to so many random moves, each number as likely.",
    )
    trace_lambda: float = Field(
        0.7, ge=0, le=1, description="Share of the later targets in the target of a position."
    )
    cut: bool = Field(
        True, description="Whether targets end where a move was random (Watkins' cut)."
    )
    learning_rate: Schedule = Field(
        Schedule(kind="constant", clock="game", start=0.025),
        description="Adam's step in discs, a number or a schedule by game.",
    )
    beta1: float = Field(0.9, ge=0, lt=1, description="Decay of Adam's first moment.")
    beta2: float = Field(0.999, ge=0, lt=1, description="Decay of Adam's second moment.")
    adam_epsilon: float = Field(1e-8, gt=0, description="Added to Adam's root.")
    error_clip: float = Field(32.0, gt=0, description="Bound of a TD error in discs.")
    batch_games: int = Field(
        500,
        ge=1,
        le=65536,
        description="Games that are played on the same tables before all of them are learned from.",
    )
    epsilon: Schedule = Field(
        Schedule(kind="step", clock="game", start=0.15, end=0.05, over=300_000),
        json_schema_extra=next_iteration(),
        description="Share of random moves, a number or a schedule by game.",
    )
    average_every: int = Field(
        10_000,
        ge=0,
        description="Games after which the tables go into the mean that is played and stored; 0: "
        "the tables themselves are.",
    )
    record_every: int = Field(
        1000,
        ge=0,
        description="One game in so many is kept in logs/games.ndjson; 0: none.",
    )

    @property
    def searches(self) -> bool:
        """Whether self-play looks further ahead than one move."""
        return (self.depth or 1) > 1 or self.milliseconds > 0 or self.endgame > 0

    @model_validator(mode="after")
    def _clocks(self) -> TdSettings:
        for name, schedule in (("learning_rate", self.learning_rate), ("epsilon", self.epsilon)):
            if schedule.clock not in ("game", "iteration"):
                raise ValueError(f"{name}.clock must be game or iteration")
        if not 0 <= self.epsilon.start <= 1 or not 0 <= self.epsilon.end <= 1:
            raise ValueError("epsilon must lie between 0 and 1")
        return self
