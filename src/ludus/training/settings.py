"""The one typed configuration: a frozen model a concern, unknown keys refused.

Every number that a run depends on is here with its default, its range and what it means. How
values are found (recipe, preset, file, environment, command line) is in ``layers``.
"""

from __future__ import annotations

from typing import Literal

from pydantic import Field, model_validator

from ludus.training.alerts.rules import check as check_alerts
from ludus.training.learning_settings import ReplaySettings, TrainingSettings
from ludus.training.operating_settings import (
    AlertSettings,
    GuardSettings,
    LoggingSettings,
    MetricsSettings,
)
from ludus.training.playing_settings import SearchSettings, SelfplaySettings
from ludus.training.run_settings import MAX_SEED, RunSettings
from ludus.training.section import Section as _Section
from ludus.training.section import may_change as _may_change
from ludus.training.td_settings import TdSettings

__all__ = ["MAX_SEED", "RunSettings", "Settings"]


class ModelSettings(_Section):
    """Shape of the network."""

    kind: Literal["residual_mlp", "residual_tower", "token_transformer"] = Field(
        "residual_mlp",
        description="Linear layers; 3x3 convolutions for games on boards; attention for games whose"
        " observations are cut into tokens.",
    )
    hidden_dim: int = Field(
        256,
        ge=32,
        le=8192,
        multiple_of=32,
        description="Width of the trunk (residual_mlp, token_transformer).",
    )
    channels: int = Field(
        64, ge=8, le=1024, multiple_of=8, description="Channels of the trunk (residual_tower)."
    )
    head_channels: int = Field(
        32, ge=1, le=256, description="Channels before the output layer (residual_tower)."
    )
    token_dim: int = Field(
        32, ge=8, le=1024, multiple_of=8, description="Numbers of a token (token_transformer)."
    )
    num_heads: int = Field(
        2, ge=1, le=64, description="Heads of the attention, a divisor of token_dim."
    )
    tokens: list[str] = Field(
        [],
        description="Kinds of tokens that it attends to, of those that the game has: `[seats]`; all"
        " for none (token_transformer).",
    )
    num_blocks: int = Field(2, ge=0, le=64, description="Residual blocks after the input layer.")
    margin_head: bool = Field(True, description="Whether a head predicts the final score margin.")
    belief: bool = Field(
        False,
        description="Whether a head predicts who holds which hidden card (residual_mlp; games with "
        "hidden cards only).",
    )


class GatingSettings(_Section):
    """When a candidate becomes champion."""

    enabled: bool = Field(True, description="Off: every candidate is promoted.")
    mode: Literal["sprt", "threshold", "duplicate"] = Field(
        "sprt",
        description="Sequential test for non-regression, a fixed number of pairs, or, for more "
        "than two seats, duplicate deals: promotes when the one-sided 95 % lower bound of the mean "
        "difference in points a round is above 0.",
    )
    max_pairs: int = Field(
        1000, ge=1, description="Seed pairs after which sprt is decided anyhow; those of threshold."
    )
    h0: float = Field(0.495, gt=0, lt=1, description="Win rate of the SPRT's null hypothesis.")
    h1: float = Field(0.515, gt=0, lt=1, description="Win rate of the SPRT's alternative.")
    alpha: float = Field(0.05, gt=0, lt=0.5, description="Error of a wrong promotion.")
    beta: float = Field(0.05, gt=0, lt=0.5, description="Error of a wrong rejection.")
    undecided_win_rate: float = Field(
        0.5, ge=0, le=1, description="Promotes at the cap when the win rate is at least this."
    )
    threshold: float = Field(
        0.55, ge=0, le=1, description="Win rate that promotes in mode threshold."
    )
    deals: int = Field(
        400, ge=1, le=1_000_000, description="Deals of mode duplicate, for more than two seats."
    )
    win_share: float | None = Field(
        None,
        ge=0,
        le=1,
        description="Mode duplicate: promotes only if the candidate also wins this share of the "
        "deals, ties half; null: not asked.",
    )
    looks: int = Field(
        1,
        ge=1,
        le=100,
        description="Mode duplicate: at how many equally spaced numbers of deals to look whether "
        "it is decided; all looks together keep the 5 % of wrong promotions.",
    )
    score_confidence: float | None = Field(
        None,
        ge=0,
        description="Mode threshold: so many standard errors below the mean score "
        "difference must not lie below 0 either; null: not asked.",
    )
    guardrail_delta: float | None = Field(
        None,
        ge=0,
        description="A promotion is refused if the candidate's solitaire mean falls "
        "below the champion's by more points than this; null: not asked.",
    )
    guardrail_games: int = Field(
        400, ge=2, multiple_of=2, description="Solitaire games of each side for the guardrail."
    )
    simulations: int | None = Field(
        None, ge=0, le=60000, description="Simulations a decision; null: those of self-play."
    )
    worlds: int | None = Field(
        None, ge=1, le=256, description="Worlds a decision; null: search.worlds, unscaled."
    )
    rows: int = Field(
        64, ge=64, le=8192, multiple_of=64, description="Batch of a network in matches."
    )
    groups: int = Field(2, ge=1, le=256, description="Groups of slots in a match.")
    seed_set: str | None = Field(
        None,
        description="Seed set of every gate, by name, file or id; null: new seeds at each "
        "iteration, which follow from the run's seed.",
    )
    per_seed_results: bool = Field(
        True, description="List the result of each seed pair in gate_report.json."
    )
    opening_plies: int = Field(
        0,
        ge=0,
        le=4096,
        description="First plies of a match between two networks in which both draw their moves at "
        "temperature 1, so that games without dice differ; 0: both play their best.",
    )
    oracle: bool = Field(
        True, description="Compare the candidate's decisions in gate games with the oracle's."
    )
    after_rejection: Literal["champion", "candidate"] = Field(
        "champion",
        description="What the next candidate starts from after a rejection; candidate goes back "
        "to the champion after 3 rejections in a row.",
    )

    @model_validator(mode="after")
    def _ordered(self) -> GatingSettings:
        if self.h0 >= self.h1:
            raise ValueError("h0 must be below h1")
        if self.looks > self.deals:
            raise ValueError(f"looks must not be above {self.deals}, the number of deals")
        return self


class EvaluationSettings(_Section):
    """Short matches that report strength; they never change what is learned."""

    every: int = Field(
        5, ge=0, json_schema_extra=_may_change(), description="Iterations; 0: never."
    )
    pairs: int = Field(64, ge=1, json_schema_extra=_may_change(), description="Seed pairs a match.")
    deals: int = Field(
        100,
        ge=1,
        le=1_000_000,
        json_schema_extra=_may_change(),
        description="Deals a match, for more than two seats; each is played twice per seat.",
    )
    opponents: tuple[str, ...] = Field(
        ("first", "previous", "random"),
        json_schema_extra=_may_change(),
        description="Who is met: first (the run's first network), previous (the champion "
        "evaluated before) or player specifications.",
    )
    rating_anchor: str = Field(
        "auto",
        json_schema_extra=_may_change(),
        description="Opponent whose rating is rating_start, mean, or auto: the game's weakest own "
        "player, else the first network.",
    )
    rating_start: float = Field(
        1000.0,
        ge=-10000,
        le=10000,
        json_schema_extra=_may_change(),
        description="Rating of the anchor, in Elo points (more than two seats: openskill's).",
    )
    simulations: int | None = Field(
        None,
        ge=0,
        le=60000,
        json_schema_extra=_may_change(),
        description="Simulations a decision; null: those of self-play.",
    )
    worlds: int | None = Field(
        None,
        ge=1,
        le=256,
        json_schema_extra=_may_change(),
        description="Worlds a decision; null: search.worlds, unscaled.",
    )
    solitaire_games: int = Field(
        200,
        ge=0,
        json_schema_extra=_may_change(),
        description="Games of the solitaire suite; 0: none.",
    )


class RuntimeSettings(_Section):
    """What changes speed only, and the backend chosen at creation."""

    lanes: int = Field(
        0,
        ge=0,
        le=256,
        json_schema_extra=_may_change(),
        description="Threads that play; 0: one a core.",
    )
    backend: Literal[
        "auto",
        "torch-f32",
        "torch-bf16",
        "openvino-f32",
        "openvino-bf16",
        "onnxruntime-f32",
        "cuda-f32",
        "cuda-bf16",
    ] = Field(
        "auto",
        description="How networks run in play; auto: the fastest here, measured once, at creation.",
    )
    unit_seconds: float = Field(
        0.25,
        gt=0,
        le=1,
        json_schema_extra=_may_change(),
        description="Length of a unit; control is checked between units.",
    )
    metrics_every_steps: int = Field(
        20,
        ge=1,
        json_schema_extra=_may_change(),
        description="Optimizer steps between two records of training losses.",
    )


class Settings(_Section):
    """All settings of a run."""

    run: RunSettings = Field(default_factory=RunSettings)
    model: ModelSettings = Field(default_factory=ModelSettings)
    search: SearchSettings = Field(default_factory=SearchSettings)
    selfplay: SelfplaySettings = Field(default_factory=SelfplaySettings)
    training: TrainingSettings = Field(default_factory=TrainingSettings)
    td: TdSettings = Field(default_factory=TdSettings)
    replay: ReplaySettings = Field(default_factory=ReplaySettings)
    gating: GatingSettings = Field(default_factory=GatingSettings)
    evaluation: EvaluationSettings = Field(default_factory=EvaluationSettings)
    runtime: RuntimeSettings = Field(default_factory=RuntimeSettings)
    guards: GuardSettings = Field(default_factory=GuardSettings)
    alerts: AlertSettings = Field(default_factory=AlertSettings)
    logging: LoggingSettings = Field(default_factory=LoggingSettings)
    metrics: MetricsSettings = Field(default_factory=MetricsSettings)

    @model_validator(mode="after")
    def _fits_together(self) -> Settings:
        if self.selfplay.slots % self.selfplay.group_size:
            raise ValueError(
                f"selfplay.slots = {self.selfplay.slots} must be a multiple of "
                f"selfplay.group_size = {self.selfplay.group_size}"
            )
        if self.training.steps_per_iteration is None and self.training.epochs is None:
            raise ValueError("training.steps_per_iteration and training.epochs are both null")
        if self.selfplay.temperature.clock == "step":
            raise ValueError("selfplay.temperature.clock must be ply, game or iteration")
        for key, schedule in (
            ("search.budget_scale", self.search.budget_scale),
            ("search.worlds_scale", self.search.worlds_scale),
            ("training.learning_rate", self.training.learning_rate),
            ("training.value_mix", self.training.value_mix),
            ("training.target_temperature", self.training.target_temperature),
        ):
            if schedule.clock not in ("iteration", "game"):
                raise ValueError(f"{key}.clock must be iteration or game")
        budget = max(self.search.budget, *self.search.budget_by_kind.values(), 0)
        if self.search.full_fraction < 1.0 and self.search.fast_budget >= budget:
            raise ValueError(
                f"search.fast_budget = {self.search.fast_budget} must be below the budget of a "
                f"full search, {budget}, when search.full_fraction is below 1"
            )
        if self.td.milliseconds > 0.0 and self.run.deterministic:
            raise ValueError(
                "td.milliseconds above 0 needs run.deterministic = false, as moves found by the "
                "clock cannot be repeated; td.depth can be"
            )
        if self.search.margin_weight > 0.0 and not self.model.margin_head:
            raise ValueError("search.margin_weight above 0 needs model.margin_head = true")
        if self.search.belief > 0.0 and not self.model.belief:
            raise ValueError("search.belief above 0 needs model.belief = true")
        check_alerts(self)
        return self
