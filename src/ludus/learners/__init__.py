"""Learners: game records in, new weights out."""

from typing import TYPE_CHECKING

from ludus.lazy import importer
from ludus.learners.plan import StepPlan, plan_steps
from ludus.learners.settings import AlphaZeroSettings

if TYPE_CHECKING:
    from ludus.learners.alphazero import AlphaZeroLearner, torch_threads
    from ludus.learners.losses import Losses, alphazero_losses
else:
    __getattr__ = importer(
        __name__,
        {
            "alphazero": (
                "AlphaZeroLearner",
                "torch_threads",
            ),
            "losses": (
                "Losses",
                "alphazero_losses",
            ),
        },
    )

__all__ = [
    "AlphaZeroLearner",
    "AlphaZeroSettings",
    "Losses",
    "StepPlan",
    "alphazero_losses",
    "plan_steps",
    "torch_threads",
]
