"""Rows ahead of time: while an update is computed, a thread decodes the rows of the next one.

The decoder works outside the interpreter, so it takes nothing from the update but its share of the
machine. What comes is what :meth:`ReplaySampler.rows` gives, update by update; the thread changes
when rows are decoded, never which.
"""

from __future__ import annotations

from concurrent.futures import Future, ThreadPoolExecutor

from ludus.replay.rows import TrainingRows
from ludus.replay.sampler import ReplaySampler


class RowFeed:
    """Rows of consecutive updates, each decoded while the one before it is being used.

    Two sets of buffers take turns: rows are valid until the next :meth:`take`.
    """

    def __init__(self, sampler: ReplaySampler, batch_size: int, first: int, count: int) -> None:
        """Prepare; nothing is decoded before the first :meth:`take`.

        Args:
            sampler: over the window; used by this feed alone from now on.
            batch_size: rows of an update.
            first: number of the first update.
            count: updates to come, >= 0.
        """
        self._sampler = sampler
        self._batch_size = batch_size
        self._next = first
        self._end = first + count
        self._buffers = [sampler.buffers(batch_size) for _ in range(2)]
        self._pool = ThreadPoolExecutor(1, thread_name_prefix="rows")
        self._ahead: Future[TrainingRows] | None = None

    def take(self) -> TrainingRows:
        """Rows of the next update; those of the update before are overwritten from now on.

        Raises:
            ValueError: a record that contradicts the rules.
            IndexError: all updates have had theirs.
        """
        if self._next >= self._end:
            raise IndexError(f"update {self._next} is past the end of this feed, {self._end}")
        waiting = self._ahead if self._ahead is not None else self._decode(self._next)
        self._ahead = None
        rows = waiting.result()
        self._next += 1
        if self._next < self._end:
            self._ahead = self._decode(self._next)
        return rows

    @property
    def nbytes(self) -> int:
        """Bytes of the buffers."""
        return sum(array.nbytes for buffers in self._buffers for array in vars(buffers).values())

    def _decode(self, update: int) -> Future[TrainingRows]:
        return self._pool.submit(
            self._sampler.rows, update, self._batch_size, into=self._buffers[update % 2]
        )

    def close(self) -> None:
        """End the thread. May be called twice."""
        self._pool.shutdown(wait=True, cancel_futures=True)
