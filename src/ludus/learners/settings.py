"""Settings of the AlphaZero learner."""

from __future__ import annotations

from dataclasses import dataclass

from ludus.errors import ConfigError
from ludus.schedules import Schedule


@dataclass(frozen=True, kw_only=True)
class AlphaZeroSettings:
    """Settings of the learner.

    Attributes:
        batch_size: rows of an update.
        learning_rate: peak of the schedule, unless an iteration is begun with another one.
        schedule: constant, step, linear, exponential or cosine, over the updates of an iteration.
        warmup_steps: updates over which the learning rate climbs to its peak.
        final_fraction: last learning rate over the peak; linear, exponential and cosine.
        milestones: updates of the iteration at which ``step`` multiplies by ``step_factor``.
        step_factor: see milestones.
        weight_decay: decoupled decay of weight matrices; biases have none.
        grad_clip: largest norm of the whole gradient.
        value_weight: of the value loss.
        margin_weight: of the margin loss; 0 leaves the margin head untrained.
        belief_weight: of the belief's loss, in nats a hidden thing; 0 leaves a belief head
            untrained.
        value_mix: share of the search's root value in the value target; 0 is the result alone.
            An iteration may be begun with another one.
        ema_decay: of the averaged weights per update; 0 takes the weights as they are. It begins
            lower, (1 + n) / (10 + n) after n updates, so that short iterations still move.
        optimizer_across_iterations: ``fresh`` or ``kept`` (decisions 11).
        precision: ``f32``, or ``bf16`` for the products of the network.
        threads: torch threads of an update; part of the result's bits.
    """

    batch_size: int = 1024
    learning_rate: float = 1e-3
    schedule: str = "cosine"
    warmup_steps: int = 20
    final_fraction: float = 0.1
    milestones: tuple[int, ...] = ()
    step_factor: float = 0.1
    weight_decay: float = 1e-4
    grad_clip: float = 1.0
    value_weight: float = 1.0
    margin_weight: float = 0.0
    belief_weight: float = 0.0
    value_mix: float = 0.0
    ema_decay: float = 0.99
    optimizer_across_iterations: str = "fresh"
    precision: str = "f32"
    threads: int = 1

    def __post_init__(self) -> None:
        """Refuse values out of range.

        Raises:
            ConfigError: names the setting, its value and what would be right.
        """
        bounds = {
            "batch_size": (1, 1 << 20),
            "learning_rate": (1e-12, 10.0),
            "final_fraction": (1e-9, 1.0),
            "weight_decay": (0.0, 10.0),
            "grad_clip": (1e-9, 1e9),
            "value_weight": (0.0, 1e6),
            "margin_weight": (0.0, 1e6),
            "belief_weight": (0.0, 1e6),
            "value_mix": (0.0, 1.0),
            "ema_decay": (0.0, 0.999999),
            "threads": (1, 1024),
        }
        for name, (low, high) in bounds.items():
            value = getattr(self, name)
            if not low <= value <= high:
                raise ConfigError(f"training.{name} = {value} must lie between {low} and {high}")
        choices = {
            "optimizer_across_iterations": ("fresh", "kept"),
            "precision": ("f32", "bf16"),
        }
        for name, known in choices.items():
            if getattr(self, name) not in known:
                raise ConfigError(
                    f"training.{name} = {getattr(self, name)!r} must be one of {', '.join(known)}"
                )
        self.learning_rates()

    def learning_rates(self, peak: float | None = None) -> Schedule:
        """The learning rate as a schedule over the updates of an iteration.

        Args:
            peak: of this iteration; ``learning_rate`` by default.
        """
        peak = self.learning_rate if peak is None else peak
        return Schedule(
            kind=self.schedule,
            start=peak,
            end=peak * self.final_fraction,
            warmup=self.warmup_steps,
            milestones=self.milestones,
            factor=self.step_factor,
        )
