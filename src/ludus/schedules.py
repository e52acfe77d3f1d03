"""Schedules as pure functions of a position on a clock.

The clock (update, ply, game, iteration) belongs to the caller; the same schedule serves learning
rates, temperatures, exploration and budgets.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from ludus.errors import ConfigError

KINDS = ("constant", "step", "table", "linear", "exponential", "cosine")


@dataclass(frozen=True, kw_only=True)
class Schedule:
    """A value that changes along a clock.

    Attributes:
        kind: ``constant``; ``step`` (times ``factor`` at each milestone); ``table`` (the next of
            ``values`` at each milestone); ``linear``, ``exponential`` (constant ratio) or
            ``cosine`` (half a wave) from start to end.
        start: value at the beginning, after the warm-up.
        end: value at the end; linear, exponential and cosine only.
        warmup: positions over which the value climbs linearly to ``start``.
        milestones: ascending positions; step and table only.
        factor: step only.
        values: one more than milestones; table only.
    """

    kind: str = "constant"
    start: float = 1.0
    end: float = 0.0
    warmup: int = 0
    milestones: tuple[int, ...] = ()
    factor: float = 0.1
    values: tuple[float, ...] = ()

    def __post_init__(self) -> None:
        """Refuse what cannot be followed.

        Raises:
            ConfigError: an unknown kind, or a value that this kind cannot take.
        """
        if self.kind not in KINDS:
            raise ConfigError(f"schedule {self.kind!r} is unknown; known are {', '.join(KINDS)}")
        if not (math.isfinite(self.start) and math.isfinite(self.end)):
            raise ConfigError(f"schedule from {self.start} to {self.end} must be of finite numbers")
        if self.kind == "exponential" and (self.start <= 0 or self.end <= 0):
            raise ConfigError(
                f"exponential schedule from {self.start} to {self.end} must stay above 0"
            )
        if self.warmup < 0:
            raise ConfigError(f"schedule warmup = {self.warmup} must be at least 0")
        if list(self.milestones) != sorted(set(self.milestones)):
            raise ConfigError(f"schedule milestones {self.milestones} must ascend")
        if self.kind == "table" and len(self.values) != len(self.milestones) + 1:
            raise ConfigError(
                f"schedule table of {len(self.values)} values needs one less milestone, not "
                f"{len(self.milestones)}"
            )

    def at(self, position: int, total: int) -> float:
        """The value at a position.

        Args:
            position: 0 is the first; at ``total`` and beyond the end value holds.
            total: length of the whole schedule, warm-up included.
        """
        if position < self.warmup:
            # The first position already moves: a learning rate of 0 would waste an update.
            return self.start * (position + 1) / (self.warmup + 1)
        if self.kind == "constant":
            return self.start
        passed = sum(1 for milestone in self.milestones if position >= milestone)
        if self.kind == "step":
            return float(self.start * self.factor**passed)
        if self.kind == "table":
            return self.values[passed]
        length = total - self.warmup
        share = 1.0 if length <= 0 else min((position - self.warmup) / length, 1.0)
        if self.kind == "linear":
            return self.start + (self.end - self.start) * share
        if self.kind == "exponential":
            return float(self.start * (self.end / self.start) ** share)
        return self.end + (self.start - self.end) * 0.5 * (1.0 + math.cos(math.pi * share))
