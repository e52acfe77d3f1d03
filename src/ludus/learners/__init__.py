"""Learners: game records in, new weights out."""

from ludus.learners.alphazero import (
    AlphaZeroLearner,
    AlphaZeroSettings,
    Losses,
    alphazero_losses,
    torch_threads,
)
from ludus.learners.plan import StepPlan, plan_steps
from ludus.learners.schedules import Schedule

__all__ = [
    "AlphaZeroLearner",
    "AlphaZeroSettings",
    "Losses",
    "Schedule",
    "StepPlan",
    "alphazero_losses",
    "plan_steps",
    "torch_threads",
]
