"""Settings of search and self-play."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, model_validator

from ludus.training.amounts import games_before, games_in
from ludus.training.schedules import Schedule
from ludus.training.section import Section, may_change, next_iteration

Budget = Annotated[int, Field(ge=0, le=60000)]
"""Simulations of a decision."""


class SearchSettings(Section):
    """The tree search of self-play; gating and evaluation change only what they name."""

    rule: Literal["puct", "gumbel"] = Field("gumbel", description="Rule at the root.")
    budget: int = Field(
        32,
        ge=0,
        le=60000,
        json_schema_extra=next_iteration(),
        description="Simulations of a decision.",
    )
    budget_by_kind: dict[str, Budget] = Field(
        {},
        json_schema_extra=next_iteration(),
        description="Simulations of decisions of a kind that the game names (`ludus games --json`),"
        " where they differ from `budget`.",
    )
    budget_scale: Schedule = Field(
        Schedule(kind="constant", clock="iteration", start=1.0),
        json_schema_extra=next_iteration(),
        description="Factor of all budgets in self-play, by iteration or game.",
    )
    worlds: int = Field(
        1,
        ge=1,
        le=256,
        json_schema_extra=next_iteration(),
        description="Deals of the hidden cards that a decision is searched in, each with the whole "
        "budget; games with hidden information only.",
    )
    worlds_scale: Schedule = Field(
        Schedule(kind="constant", clock="iteration", start=1.0),
        json_schema_extra=next_iteration(),
        description="Factor of worlds in self-play, by iteration or game.",
    )
    open_worlds: bool = Field(
        False,
        description="Positions of a world are evaluated with its hands open, and every other row "
        "is learned from so; decisions are seen as the seat sees them. Not with information_sets.",
    )
    information_sets: bool = Field(
        False,
        description="One tree in which positions that look the same to the seat to move share a "
        "node, instead of a tree for each world.",
    )
    evidence: float = Field(
        0.0,
        ge=0,
        le=10,
        description="How much what the others did weighs in the choice of worlds; 0: all that the "
        "rules allow are equally likely.",
    )
    belief: float = Field(
        0.0,
        ge=0,
        le=10,
        description="How much the network's belief of who holds which card weighs in the choice of "
        "worlds, beside evidence (model.belief); 0: it is not asked.",
    )
    full_fraction: float = Field(
        1.0,
        gt=0,
        le=1,
        json_schema_extra=next_iteration(),
        description="Share of self-play decisions that are searched with the whole budget; the "
        "others get fast_budget and teach no policy (playout cap). 1 is off.",
    )
    fast_budget: int = Field(
        8,
        ge=1,
        le=60000,
        json_schema_extra=next_iteration(),
        description="Simulations of a decision that the playout cap makes fast; below the budget.",
    )
    c_puct: float = Field(1.25, ge=0, description="Weight of the prior in PUCT.")
    fpu_reduction: float = Field(0.25, ge=0, le=2, description="First-play urgency below the node.")
    dirichlet_alpha: float = Field(
        0.3,
        gt=0,
        json_schema_extra=next_iteration(),
        description="Of the root noise (PUCT, self-play).",
    )
    dirichlet_fraction: float = Field(
        0.25,
        ge=0,
        le=1,
        json_schema_extra=next_iteration(),
        description="Share of the root noise (PUCT, self-play).",
    )
    considered: int = Field(16, ge=1, description="Actions that halving starts from (Gumbel).")
    c_visit: float = Field(50.0, ge=0, description="Offset of visits in the weight of Q (Gumbel).")
    c_scale: float = Field(1.0, ge=0, description="Factor of the weight of Q (Gumbel).")
    q_spread: float = Field(
        0.2, gt=0, description="Spread of true Q that its standard error is held against (Gumbel)."
    )
    virtual_loss: float = Field(0.2, ge=0, description="Taken from Q for a simulation in flight.")
    max_inflight_per_game: int = Field(
        1, ge=1, le=4096, description="Simulations of one game that wait for evaluation."
    )
    margin_weight: float = Field(
        0.0, ge=0, le=1, description="Share of the score margin in the value, against win or loss."
    )

    @model_validator(mode="after")
    def _one_view_of_worlds(self) -> SearchSettings:
        if self.open_worlds and self.information_sets:
            raise ValueError(
                "open_worlds and information_sets exclude each other, as positions that several "
                "worlds share have no hands of their own: set one false"
            )
        return self


class SelfplaySettings(Section):
    """Self-play games."""

    games_per_iteration: int = Field(
        1024, ge=1, le=1_000_000, description="Games of the first iteration."
    )
    games_growth: int = Field(
        0, ge=0, le=1_000_000, description="Games that each iteration has more than the one before."
    )
    games_most: int | None = Field(
        None, ge=1, description="Games of an iteration at most, however long they grow; null: any."
    )
    slots: int = Field(512, ge=1, le=65536, description="Games played at the same time.")
    group_size: int = Field(
        256, ge=64, le=8192, multiple_of=64, description="Slots that share a batch."
    )
    temperature: Schedule = Field(
        Schedule(kind="constant", clock="ply", start=1.0),
        json_schema_extra=next_iteration(),
        description="Of the played action; clock ply, game or iteration.",
    )
    root_sample_every: int = Field(
        4,
        ge=0,
        json_schema_extra=may_change(),
        description="Sampled search roots go to logs/roots.ndjson every so many units; 0: never.",
    )

    @property
    def amounts(self) -> tuple[int, int, int | None]:
        """What :mod:`ludus.training.amounts` wants."""
        return self.games_per_iteration, self.games_growth, self.games_most

    def games_in(self, iteration: int) -> int:
        """Games of an iteration, counted from 0."""
        return games_in(iteration, *self.amounts)

    def games_before(self, iteration: int) -> int:
        """Games of all iterations before this one."""
        return games_before(iteration, *self.amounts)

    @model_validator(mode="after")
    def _grows_to_more(self) -> SelfplaySettings:
        if self.games_most is not None and self.games_most < self.games_per_iteration:
            raise ValueError(
                f"games_most = {self.games_most} must not be below games_per_iteration = "
                f"{self.games_per_iteration}"
            )
        return self
