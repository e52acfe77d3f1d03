"""Answers remembered: a position that comes again with the same weights is not evaluated again."""

from __future__ import annotations

import hashlib
import threading
from collections import OrderedDict

import numpy as np
import numpy.typing as npt

from ludus.errors import ConfigError
from ludus.evaluators.base import Evaluator
from ludus.evaluators.batch import LeafBatch

_OVERHEAD = 320
"""Bytes of an entry besides its numbers: key, array, links, measured with CPython 3.11."""


class _Scratch(threading.local):
    """The calling thread's batch of misses."""

    def __init__(self) -> None:
        self.batch: LeafBatch | None = None


class CachedEvaluator:
    """Remembers answers by weights, observation, seat, players and legal actions.

    Rows that are not known are put together at the front of a batch of the same shape and given to
    the inner evaluator, so every answer has the bits that the shape gives; it is not called when
    all rows are known. Over a :class:`~ludus.evaluators.SplitEvaluator` only the chunks that hold
    such rows cost anything. Looking up costs some microseconds a row, in the interpreter: worth it
    for large networks, a loss for small ones.

    A change of the inner evaluator's ``weights_id`` empties the cache: no answer outlives the
    weights that gave it. Lanes may share it.

    Attributes:
        inner: evaluates what is not known.
        hits: rows answered from memory; they are not evaluated rows.
        evaluated: rows given to the inner evaluator, padding not counted.
    """

    def __init__(self, inner: Evaluator, capacity_bytes: int = 256_000_000) -> None:
        """Wrap an evaluator.

        Args:
            inner: evaluates what is not known.
            capacity_bytes: bound of the memory; the entry not used for longest goes first.

        Raises:
            ConfigError: a capacity below one megabyte.
        """
        if capacity_bytes < 1_000_000:
            raise ConfigError(
                f"capacity_bytes = {capacity_bytes} of an evaluation cache must be at least 1000000"
            )
        self.inner = inner
        self.capacity_bytes = capacity_bytes
        self.hits = 0
        self.evaluated = 0
        self._lock = threading.Lock()
        self._weights_id: str | None = None
        self._entries: OrderedDict[bytes, npt.NDArray[np.float32]] = OrderedDict()
        self._bytes = 0
        self._scratch = _Scratch()

    @property
    def weights_id(self) -> str:
        """That of the inner evaluator."""
        return self.inner.weights_id

    @property
    def bytes_used(self) -> int:
        """Memory of the entries."""
        return self._bytes

    def __len__(self) -> int:
        """Entries."""
        return len(self._entries)

    def clear(self) -> int:
        """Forget every answer, which costs time and changes none; returns the bytes that it was."""
        with self._lock:
            freed, self._bytes = self._bytes, 0
            self._entries.clear()
        return freed

    def evaluate(self, batch: LeafBatch) -> None:
        """Fill the batch's answer; see :class:`ludus.evaluators.Evaluator`.

        Rows without legal actions (padding) get the value 0.

        Raises:
            NumericsError: an answer is not finite; nothing is remembered.
        """
        while not self._evaluate(batch, self.inner.weights_id):
            pass  # the weights changed under this call: the batch must be of one kind

    def _evaluate(self, batch: LeafBatch, weights_id: str) -> bool:
        """Answer with these weights; False if they changed meanwhile."""
        rows = np.flatnonzero(np.diff(batch.offsets))
        keys = _keys(batch, rows, weights_id)
        batch.values[...] = 0.0
        missing = self._look_up(batch, rows, keys, weights_id)
        if missing:
            index = rows[missing]
            self._ask(batch, index)
            if self.inner.weights_id != weights_id:
                return False
            self._remember(batch, index, [keys[i] for i in missing], weights_id)
        with self._lock:
            self.hits += len(rows) - len(missing)
            self.evaluated += len(missing)
        return True

    def _look_up(
        self, batch: LeafBatch, rows: npt.NDArray[np.int64], keys: list[bytes], weights_id: str
    ) -> list[int]:
        """Write the answers that are known; returns the places in ``rows`` of the others."""
        missing = []
        seats, offsets = batch.num_seats, batch.offsets
        with self._lock:
            if weights_id != self._weights_id:
                self._entries.clear()
                self._bytes = 0
                self._weights_id = weights_id
            for i, key in enumerate(keys):
                entry = self._entries.get(key)
                if entry is None:
                    missing.append(i)
                    continue
                self._entries.move_to_end(key)
                row = rows[i]
                batch.values[row] = entry[:seats]
                batch.logits[offsets[row] : offsets[row + 1]] = entry[seats:]
        return missing

    def _ask(self, batch: LeafBatch, rows: npt.NDArray[np.int64]) -> None:
        """Evaluate these rows in a batch of the same shape."""
        inner = batch.room(batch.rows, batch.used, self._scratch.batch)
        self._scratch.batch = inner
        places = inner.take(batch, rows)
        self.inner.evaluate(inner)
        batch.logits[places] = inner.logits[: len(places)]
        batch.values[rows] = inner.values[: len(rows)]

    def _remember(
        self, batch: LeafBatch, rows: npt.NDArray[np.int64], keys: list[bytes], weights_id: str
    ) -> None:
        with self._lock:
            if weights_id != self._weights_id:
                return  # another lane has moved on to newer weights
            for row, key in zip(rows, keys, strict=True):
                begin, end = batch.offsets[row], batch.offsets[row + 1]
                entry = np.concatenate([batch.values[row], batch.logits[begin:end]])
                if key not in self._entries:
                    self._bytes += entry.nbytes + _OVERHEAD
                self._entries[key] = entry
            while self._bytes > self.capacity_bytes:
                _, gone = self._entries.popitem(last=False)
                self._bytes -= gone.nbytes + _OVERHEAD


def _keys(batch: LeafBatch, rows: npt.NDArray[np.int64], weights_id: str) -> list[bytes]:
    """128 bits of each row's weights, seat, players, observation and legal actions."""
    start = hashlib.blake2b(weights_id.encode(), digest_size=16)
    actions = batch.legal[: batch.used] % batch.num_actions
    keys = []
    for row in rows:
        digest = start.copy()
        digest.update(batch.seats[row : row + 1].data)
        digest.update(batch.players[row : row + 1].data)
        digest.update(batch.observations[row].data)
        digest.update(actions[batch.offsets[row] : batch.offsets[row + 1]].data)
        keys.append(digest.digest())
    return keys
