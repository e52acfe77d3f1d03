"""Schedules: how a setting changes over a clock.

A schedule names its clock: ``ply`` (of a game), ``game`` (since the run's birth), ``iteration``
(since the run's birth) or ``step`` (of the optimizer, within an iteration). What follows from it
is a pure function of that clock, so a resumed run computes the same values.
"""

from __future__ import annotations

from functools import cached_property
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator

from ludus import schedules

Clock = Literal["ply", "game", "iteration", "step"]
"""What a schedule counts."""


class Schedule(BaseModel):
    """A number that follows a clock; a plain number stands for a constant."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    kind: Literal["constant", "step", "table", "linear", "exponential", "cosine"] = Field(
        "constant",
        description="Shape: constant; step (drops to `end` at `over`); table (`values`, each until "
        "its tick in `until`, the last for ever); linear, exponential or cosine from `start` to "
        "`end` over `over` ticks, `end` afterwards.",
    )
    clock: Clock = Field("iteration", description="What is counted: ply, game, iteration, step.")
    start: float = Field(1.0, description="Value at tick 0.")
    end: float = Field(0.0, description="Value from tick `over` on (unused by constant).")
    over: int = Field(1, ge=1, description="Ticks until `end` is reached.")
    warmup: int = Field(0, ge=0, description="Ticks over which the value rises from 0 to `start`.")
    values: tuple[float, ...] = Field((), description="Values of a table.")
    until: tuple[int, ...] = Field(
        (), description="Ascending ticks at which the next value of a table begins."
    )

    @model_validator(mode="before")
    @classmethod
    def _number_is_constant(cls, value: Any) -> Any:
        if isinstance(value, int | float) and not isinstance(value, bool):
            return {"kind": "constant", "start": float(value)}
        return value

    @model_validator(mode="after")
    def _table_is_whole(self) -> Schedule:
        if self.kind != "table":
            if self.values or self.until:
                raise ValueError("values and until are of a schedule of kind table")
            return self
        if len(self.values) != len(self.until) + 1:
            raise ValueError(
                f"a table of {len(self.values)} values needs one tick less in until, not "
                f"{len(self.until)}"
            )
        if list(self.until) != sorted(set(self.until)) or min(self.until, default=1) < 1:
            raise ValueError(f"until = {list(self.until)} must be ascending ticks from 1 on")
        if self.warmup:
            raise ValueError("a table has no warmup: give it another value")
        return self

    @property
    def ends(self) -> list[tuple[str, float]]:
        """Field and value where the schedule begins, ends and turns; else it lies between them."""
        if self.kind == "table":
            return [("values", value) for value in self.values]
        ends = [("start", self.start)]
        return ends if self.kind == "constant" else [*ends, ("end", self.end)]

    @model_validator(mode="after")
    def _exponential_is_positive(self) -> Schedule:
        if self.kind == "exponential" and (self.start <= 0.0 or self.end <= 0.0):
            raise ValueError("an exponential schedule needs start and end above 0")
        return self

    def at(self, tick: int) -> float:
        """The value at a tick.

        Args:
            tick: of the schedule's clock, >= 0.
        """
        return self._curve.at(tick, self.warmup + self.over)

    @cached_property
    def _curve(self) -> schedules.Schedule:
        # A step is one milestone whose factor leads from start to end; other kinds ignore both.
        return schedules.Schedule(
            kind=self.kind,
            start=self.start,
            end=self.end,
            warmup=self.warmup,
            milestones=self.until if self.kind == "table" else (self.warmup + self.over,),
            factor=self.end / self.start if self.start else 0.0,
            values=self.values,
        )

    def table(self, ticks: int) -> list[float]:
        """The values at ticks 0 .. ticks - 1, the last of which stands for all later ones."""
        return [self.at(tick) for tick in range(max(1, ticks))]
