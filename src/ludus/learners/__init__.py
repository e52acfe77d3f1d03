"""Learners: game records in, new weights out."""

from ludus.learners.alphazero import AlphaZeroLearner, torch_threads
from ludus.learners.losses import Losses, alphazero_losses
from ludus.learners.plan import StepPlan, plan_steps
from ludus.learners.settings import AlphaZeroSettings

__all__ = [
    "AlphaZeroLearner",
    "AlphaZeroSettings",
    "Losses",
    "StepPlan",
    "alphazero_losses",
    "plan_steps",
    "torch_threads",
]
