"""What an evaluator is, and the two that need no network."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

import numpy as np

from ludus.errors import NumericsError
from ludus.evaluators.batch import LeafBatch

NO_BELIEF = (
    "a search with belief above 0 needs a network with a belief head: train one with "
    "model.belief = true, or set belief to 0"
)
"""What is said where nobody can answer."""


class Evaluator(Protocol):
    """Observations in, raw policy logits of legal actions and values of all seats out.

    Thread-safe for different batches at the same time. Whoever keeps answers (a cache) must key
    them by ``weights_id``: no answer outlives the weights that gave it.

    One that also answers who may hold what is hidden has an attribute ``belief_size``, the numbers
    of such an answer; where a batch has them it fills ``batch.beliefs`` in the rows wanted.
    """

    @property
    def weights_id(self) -> str:
        """Changes whenever the answers may change."""
        ...

    def evaluate(self, batch: LeafBatch) -> None:
        """Fill ``batch.logits`` (the used entries) and ``batch.values`` (every row).

        Raises:
            NumericsError: an answer is not finite.
        """
        ...


class UniformEvaluator:
    """All legal actions alike, every position even. Proves the interface, and needs no input."""

    weights_id = "uniform"

    def evaluate(self, batch: LeafBatch) -> None:
        """Write zeros."""
        batch.logits.fill(0.0)
        batch.values.fill(0.0)


class ScriptedEvaluator:
    """A Python function plays the network; for golden trees and tests of the search."""

    def __init__(self, fill: Callable[[LeafBatch], None], weights_id: str = "scripted") -> None:
        """Take the function.

        Args:
            fill: writes ``logits`` and ``values`` of the batch it is given.
            weights_id: name of the script.
        """
        self._fill = fill
        self.weights_id = weights_id

    def evaluate(self, batch: LeafBatch) -> None:
        """Call the function and check what it wrote.

        Raises:
            NumericsError: a logit in use or a value is not finite, or a value is outside [-1, 1].
        """
        self._fill(batch)
        if not np.isfinite(batch.logits[: batch.used]).all():
            raise NumericsError(
                f"evaluator {self.weights_id}: a policy logit is not finite", place="evaluation"
            )
        check_values(batch, self.weights_id)


def check_values(batch: LeafBatch, name: str) -> None:
    """Refuse values that no result of a game could have.

    Args:
        batch: answered.
        name: of the evaluator, for the sentence.

    Raises:
        NumericsError: a value is not finite or outside [-1, 1].
    """
    bad = ~(np.abs(batch.values) <= 1.0)  # written so that NaN is refused too
    if bad.any():
        row, seat = (int(at[0]) for at in np.nonzero(bad))
        value = float(batch.values[row, seat])
        raise NumericsError(
            f"evaluator {name}: value {value} of row {row} lies outside [-1, 1]",
            place="evaluation",
            value=value,
            evaluator=name,
            row=row,
            seat=seat,
        )
