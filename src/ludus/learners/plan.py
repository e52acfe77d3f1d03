"""How many updates an iteration makes: steps, or epochs over the replay."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from ludus.errors import ConfigError


@dataclass(frozen=True, kw_only=True)
class StepPlan:
    """The number of updates and why.

    Attributes:
        steps_target: optimizer updates of the iteration.
        rule: ``steps`` (asked on the command line), ``steps_per_iteration`` or ``epochs``.
        inputs: what the rule was given, as a JSON object.
    """

    steps_target: int
    rule: str
    inputs: dict[str, int | float | None]

    def event(self) -> dict[str, Any]:
        """The event ``train_plan``."""
        return {
            "event": "train_plan",
            "steps_target": self.steps_target,
            "rule": self.rule,
            "inputs": self.inputs,
        }


def plan_steps(
    *,
    batch_size: int,
    steps: int | None = None,
    steps_per_iteration: int | None = None,
    epochs: float | None = None,
    snapshot_samples: int | None = None,
) -> StepPlan:
    """Updates of an iteration; the first rule that has its number wins.

    Args:
        batch_size: rows of an update.
        steps: asked for on the command line.
        steps_per_iteration: the setting ``training.steps_per_iteration``.
        epochs: the setting ``training.epochs``, times ceil(snapshot_samples / batch_size).
        snapshot_samples: plies in the replay window of this iteration.

    Raises:
        ConfigError: no rule has its number, or a number is out of range.
    """
    if batch_size < 1:
        raise ConfigError(f"training.batch_size = {batch_size} must be at least 1")
    inputs: dict[str, int | float | None] = {
        "steps": steps,
        "steps_per_iteration": steps_per_iteration,
        "epochs": epochs,
        "total_samples": snapshot_samples,
        "batch_size": batch_size,
    }
    for rule, asked in (("steps", steps), ("steps_per_iteration", steps_per_iteration)):
        if asked is not None:
            if asked < 1:
                raise ConfigError(f"training {rule} = {asked} must be at least 1")
            return StepPlan(steps_target=asked, rule=rule, inputs=inputs)
    if epochs is None:
        raise ConfigError("training needs training.steps_per_iteration or training.epochs")
    if epochs <= 0:
        raise ConfigError(f"training.epochs = {epochs} must be above 0")
    if not snapshot_samples:
        raise ConfigError(
            "training.epochs needs a replay snapshot with samples; give training "
            "steps instead, or play games first"
        )
    per_epoch = -(-snapshot_samples // batch_size)
    return StepPlan(steps_target=max(1, round(epochs * per_epoch)), rule="epochs", inputs=inputs)
