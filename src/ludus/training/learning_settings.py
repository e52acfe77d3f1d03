"""Settings of what is learned from, and how."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import Field, ValidationInfo, field_validator, model_validator

from ludus.training.schedules import Schedule
from ludus.training.section import Section, may_change


def _within(name: str, schedule: Schedule, low: float, high: float) -> None:
    """Refuse a schedule that leaves its range; between its ends it never does."""
    for end, value in schedule.ends:
        if not low <= value <= high:
            raise ValueError(f"{name}.{end} = {value} must lie between {low:g} and {high:g}")


class TrainingSettings(Section):
    """The learner."""

    steps_per_iteration: int | None = Field(
        400, ge=1, description="Optimizer steps an iteration; before epochs."
    )
    epochs: float | None = Field(
        None, gt=0, description="Passes over the window an iteration, when no steps are given."
    )
    batch_size: int = Field(1024, ge=1, le=65536, description="Rows of a step.")
    plies_per_game: int = Field(8, ge=1, description="Rows taken from a game when it is drawn.")
    learning_rate: Schedule = Field(
        Schedule(kind="constant", clock="iteration", start=1e-3),
        description="Peak of the learning rate, a number or a schedule by iteration or game.",
    )
    schedule: Literal["constant", "linear", "exponential", "cosine"] = Field(
        "cosine", description="From the peak on, over the steps of an iteration."
    )
    warmup_steps: int = Field(20, ge=0, description="Steps until the learning rate's peak.")
    final_fraction: float = Field(
        0.1, gt=0, le=1, description="Last learning rate of an iteration over its peak."
    )
    weight_decay: float = Field(1e-4, ge=0, description="Decoupled decay (AdamW).")
    aux_margin_lambda: float = Field(0.5, ge=0, description="Weight of the margin's loss.")
    belief_weight: float = Field(
        0.1, ge=0, description="Weight of the belief's loss, in nats a hidden card (model.belief)."
    )
    value_weight: float = Field(1.0, ge=0, description="Weight of the value's loss.")
    value_mix: Schedule = Field(
        Schedule(kind="constant", clock="iteration", start=0.0),
        description="Share of the search's value in the value target, a number or a schedule by "
        "iteration or game.",
    )
    target_temperature: Schedule = Field(
        Schedule(kind="constant", clock="iteration", start=1.0),
        description="Tau: policy targets are raised to 1 / tau and normalised, so that values "
        "below 1 sharpen them; a number or a schedule by iteration or game. The played action "
        "never depends on it.",
    )
    grad_clip: float = Field(1.0, gt=0, description="Norm to which gradients are clipped.")
    ema_decay: float = Field(0.99, ge=0, lt=1, description="Of the averaged weights; 0 for none.")
    optimizer: Literal["fresh", "kept"] = Field(
        "fresh", description="Whether an iteration's optimizer begins anew (decision 11)."
    )
    threads: int = Field(
        0,
        ge=0,
        le=64,
        description="Threads of a step, part of the result; 0: one a core, at most 4, fixed at "
        "creation.",
    )
    audit_games: int = Field(
        8,
        ge=0,
        le=1000,
        json_schema_extra=may_change(),
        description="New games derived a second time before they are learned from; 0: no audit.",
    )
    audit_entropy: float = Field(
        0.02,
        ge=0,
        json_schema_extra=may_change(),
        description="Mean entropy of policy targets in nats below which a warning is given.",
    )
    audit_symmetry: float = Field(
        0.3,
        ge=0,
        le=2,
        json_schema_extra=may_change(),
        description="Mean difference of the champion's values between symmetrical positions past "
        "which a warning is given.",
    )

    @field_validator("learning_rate", "value_mix", "target_temperature", mode="before")
    @classmethod
    def _starts_as_the_default(cls, value: Any, info: ValidationInfo) -> Any:
        """A schedule given without its start begins where the default is."""
        if (
            isinstance(value, dict)
            and not {"start", "values"} & set(value)
            and info.field_name is not None
        ):
            return {**value, "start": cls.model_fields[info.field_name].default.start}
        return value

    @model_validator(mode="after")
    def _schedules_stay_in_range(self) -> TrainingSettings:
        _within("learning_rate", self.learning_rate, 1e-12, 10.0)
        _within("value_mix", self.value_mix, 0.0, 1.0)
        _within("target_temperature", self.target_temperature, 0.05, 10.0)
        return self


class ReplaySettings(Section):
    """Game records on disk."""

    games_per_shard: int = Field(256, ge=1, description="Games of a shard.")
    capacity_shards: int | None = Field(
        40, ge=1, description="Newest shards kept; null: see capacity_samples."
    )
    capacity_samples: int | None = Field(
        None, ge=1, description="Newest plies kept, by whole shards; excludes capacity_shards."
    )
    window_start_games: int | None = Field(
        None,
        ge=1,
        description="The window to learn from is this many of the newest games at first and grows "
        "with the games played, up to what is kept; null: always all that is kept.",
    )
    window_exponent: float = Field(
        0.75, gt=0, le=1, description="Power of the games played that the window grows by."
    )
    window_slope: float = Field(
        0.4, gt=0, le=1, description="Games that the window grows by for a game, when it starts to."
    )

    @model_validator(mode="after")
    def _one_capacity(self) -> ReplaySettings:
        if self.capacity_shards is not None and self.capacity_samples is not None:
            raise ValueError(
                "capacity_shards and capacity_samples exclude each other: set one null"
            )
        return self
