"""A large batch in chunks of one fixed shape."""

from __future__ import annotations

import threading

import numpy as np

from ludus.errors import ConfigError
from ludus.evaluators.base import Evaluator
from ludus.evaluators.batch import ROW_MULTIPLE, LeafBatch


class _Scratch(threading.local):
    """The calling thread's chunk."""

    def __init__(self) -> None:
        self.chunk: LeafBatch | None = None


class SplitEvaluator:
    """Evaluates a batch of any size in chunks of ``rows``, the last one padded with zeros.

    The answers have the bits that the inner evaluator gives at ``rows``, whatever the size of the
    batch. A chunk in which no row has a legal action is not evaluated: its values are 0.

    Attributes:
        inner: does the work.
        rows: of a chunk.
    """

    def __init__(self, inner: Evaluator, rows: int) -> None:
        """Wrap an evaluator.

        Args:
            inner: does the work.
            rows: of a chunk, a positive multiple of 64.

        Raises:
            ConfigError: rows that are none.
        """
        if rows <= 0 or rows % ROW_MULTIPLE:
            raise ConfigError(
                f"rows = {rows} of a split evaluator must be a positive multiple of {ROW_MULTIPLE}"
            )
        self.inner = inner
        self.rows = rows
        self._scratch = _Scratch()

    @property
    def weights_id(self) -> str:
        """That of the inner evaluator."""
        return self.inner.weights_id

    def evaluate(self, batch: LeafBatch) -> None:
        """Fill the batch's answer; see :class:`ludus.evaluators.Evaluator`.

        Raises:
            NumericsError: an answer is not finite.
        """
        for begin in range(0, batch.rows, self.rows):
            end = min(begin + self.rows, batch.rows)
            first, last = int(batch.offsets[begin]), int(batch.offsets[end])
            if first == last:
                batch.values[begin:end] = 0.0
                continue
            chunk = batch.room(self.rows, last - first, self._scratch.chunk)
            self._scratch.chunk = chunk
            chunk.take(batch, np.arange(begin, end))
            self.inner.evaluate(chunk)
            batch.logits[first:last] = chunk.logits[: last - first]
            batch.values[begin:end] = chunk.values[: end - begin]
