"""A stopwatch around an evaluator: how many batches, how full, how long; always on.

Each thread notes its batches for itself, so a lane hardly ever waits for another one; they are
counted up when a thread has noted many, and when somebody looks.
"""

from __future__ import annotations

import math
import threading
import time
from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from ludus.evaluators.base import Evaluator
from ludus.evaluators.batch import LeafBatch

_PER_OCTAVE = 4
BUCKETS = 26 * _PER_OCTAVE
"""Of a histogram of durations: four an octave from 1 microsecond to 67 seconds."""

FILLS = 10
"""Of a histogram of batch fills: tenths, the last one up to and with full."""


def bucket_edge(index: int) -> float:
    """Lower edge of a bucket of durations, in microseconds; the first one takes all below too."""
    return float(2.0 ** (index / _PER_OCTAVE))


@dataclass
class Durations:
    """A histogram of durations in fixed log-spaced buckets.

    Attributes:
        counts: how many fell into each bucket, see :func:`bucket_edge`; the last takes all above.
        total_ns: their sum in nanoseconds.
    """

    counts: list[int] = field(default_factory=lambda: [0] * BUCKETS)
    total_ns: int = 0

    def add(self, nanoseconds: int) -> None:
        """Count one."""
        index = int(_PER_OCTAVE * math.log2(nanoseconds * 1e-3)) if nanoseconds > 1000 else 0
        self.counts[min(index, BUCKETS - 1)] += 1
        self.total_ns += nanoseconds

    def merge(self, other: Durations) -> None:
        """Take another histogram's counts in."""
        self.counts = [one + two for one, two in zip(self.counts, other.counts, strict=True)]
        self.total_ns += other.total_ns

    @property
    def count(self) -> int:
        """How many there are."""
        return sum(self.counts)

    def quantile(self, share: float) -> float | None:
        """The duration that this share of all does not exceed, in microseconds.

        Exact to the width of a bucket (a factor of 1.19); within it, durations are taken as spread
        evenly in their logarithm. None when there are none.
        """
        wanted = share * self.count
        if not self.count:
            return None
        below = 0
        for index, number in enumerate(self.counts):
            if number and below + number >= wanted:
                inside: float = 2.0 ** ((wanted - below) / number / _PER_OCTAVE)
                return bucket_edge(index) * inside
            below += number
        return bucket_edge(BUCKETS)

    def as_json(self) -> dict[str, Any]:
        """JSON that :meth:`from_json` reads back."""
        return {"counts": self.counts, "total_ns": self.total_ns}

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Durations:
        """The inverse of :meth:`as_json`."""
        return cls([int(number) for number in data["counts"]], int(data["total_ns"]))

    def sparse(self) -> dict[str, int]:
        """The buckets that are not empty, by lower edge in whole microseconds, for records."""
        found: dict[str, int] = {}
        for index, number in enumerate(self.counts):
            if number:
                key = str(round(bucket_edge(index)))
                found[key] = found.get(key, 0) + number
        return found


@dataclass
class EvaluatorTimes:
    """What an evaluator did.

    Attributes:
        batches: calls of ``evaluate`` that answered.
        rows: leaves in them: rows with a legal action.
        capacity: rows of those batches, padding included.
        fills: i[FILLS], batches by rows over capacity, in tenths.
        latency: time of a call.
    """

    batches: int = 0
    rows: int = 0
    capacity: int = 0
    fills: list[int] = field(default_factory=lambda: [0] * FILLS)
    latency: Durations = field(default_factory=Durations)

    def merge(self, other: EvaluatorTimes) -> None:
        """Take another count in."""
        self.batches += other.batches
        self.rows += other.rows
        self.capacity += other.capacity
        self.fills = [one + two for one, two in zip(self.fills, other.fills, strict=True)]
        self.latency.merge(other.latency)

    @property
    def fill(self) -> float | None:
        """Mean share of the rows that held a leaf; None before the first batch."""
        return self.rows / self.capacity if self.capacity else None

    def as_json(self) -> dict[str, Any]:
        """JSON that :meth:`from_json` reads back."""
        return {
            "batches": self.batches,
            "rows": self.rows,
            "capacity": self.capacity,
            "fills": self.fills,
            "latency": self.latency.as_json(),
        }

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> EvaluatorTimes:
        """The inverse of :meth:`as_json`."""
        return cls(
            int(data["batches"]),
            int(data["rows"]),
            int(data["capacity"]),
            [int(number) for number in data["fills"]],
            Durations.from_json(data["latency"]),
        )


_FOLD = 256
"""Batches that a thread remembers before it counts them up."""

_Seen = tuple[str, int, bytes]
"""A batch that was answered: weights_id, nanoseconds, its offsets i32[rows + 1]."""


class _Thread:
    """What one thread has answered: batches not counted up yet, and whether it is inside now."""

    def __init__(self) -> None:
        self.seen: deque[_Seen] = deque()  # appending and taking are single operations
        self.inside = False


class TimedEvaluator:
    """An evaluator that counts what it is asked; its answers are the inner one's, bit for bit.

    After a network has run, everything else is cold in the processor's caches, so a batch is only
    noted, and notes are counted up many at a time: 7 microseconds on a call of 330 were measured.
    """

    def __init__(self, inner: Evaluator) -> None:
        """Wrap an evaluator.

        Args:
            inner: answers; as thread-safe as it is.
        """
        self.inner = inner
        self._local = threading.local()
        self._lock = threading.Lock()
        self._threads: list[_Thread] = []
        self._times: dict[str, EvaluatorTimes] = {}

    @property
    def weights_id(self) -> str:
        """That of the inner evaluator."""
        return self.inner.weights_id

    @property
    def belief_size(self) -> int:
        """That of the inner evaluator; 0 of one that says nothing about what is hidden."""
        return int(getattr(self.inner, "belief_size", 0))

    @property
    def pending(self) -> int:
        """Batches that are being evaluated at this moment."""
        with self._lock:
            return sum(thread.inside for thread in self._threads)

    def evaluate(self, batch: LeafBatch) -> None:
        """Answer the batch and count it; a call that fails is not counted.

        Raises:
            NumericsError: as the inner evaluator.
        """
        try:
            mine: _Thread = self._local.thread
        except AttributeError:
            mine = self._begin()
        weights_id = self.inner.weights_id
        mine.inside = True
        start = time.perf_counter_ns()
        try:
            self.inner.evaluate(batch)
        finally:
            mine.inside = False
        mine.seen.append((weights_id, time.perf_counter_ns() - start, batch.offsets.tobytes()))
        if len(mine.seen) >= _FOLD:
            with self._lock:
                self._fold(mine)

    def _begin(self) -> _Thread:
        mine = self._local.thread = _Thread()
        with self._lock:
            self._threads.append(mine)
        return mine

    def _fold(self, thread: _Thread) -> None:
        """Count up what a thread has noted; the caller holds the lock."""
        alike: dict[tuple[str, int], tuple[list[int], list[bytes]]] = {}
        while thread.seen:
            weights_id, spent, noted = thread.seen.popleft()
            spans, offsets = alike.setdefault((weights_id, len(noted)), ([], []))
            spans.append(spent)
            offsets.append(noted)
        for (weights_id, _), (spans, offsets) in alike.items():
            table = np.frombuffer(b"".join(offsets), np.int32).reshape(len(offsets), -1)
            rows = np.count_nonzero(table[:, 1:] != table[:, :-1], axis=1)
            capacity = table.shape[1] - 1
            times = self._times.setdefault(weights_id, EvaluatorTimes())
            times.batches += len(spans)
            times.rows += int(rows.sum())
            times.capacity += capacity * len(spans)
            fills = np.maximum(0, (FILLS * rows - 1) // capacity)
            for place in fills.tolist():
                times.fills[place] += 1
            for spent in spans:
                times.latency.add(spent)

    def by_weights(self) -> dict[str, EvaluatorTimes]:
        """Counts of all threads by the ``weights_id`` that answered."""
        with self._lock:
            for thread in self._threads:
                self._fold(thread)
            found = {weights_id: EvaluatorTimes() for weights_id in self._times}
            for weights_id, times in self._times.items():
                found[weights_id].merge(times)
        return found

    def times(self) -> EvaluatorTimes:
        """Counts of all threads and weights."""
        total = EvaluatorTimes()
        for times in self.by_weights().values():
            total.merge(times)
        return total
