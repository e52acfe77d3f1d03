"""Learners: game records in, new weights out."""

from ludus.learners.alphazero import (
    AlphaZeroLearner,
    AlphaZeroSettings,
    Losses,
    alphazero_losses,
    torch_threads,
)
from ludus.learners.plan import StepPlan, plan_steps

__all__ = [
    "AlphaZeroLearner",
    "AlphaZeroSettings",
    "Losses",
    "StepPlan",
    "alphazero_losses",
    "plan_steps",
    "torch_threads",
]
