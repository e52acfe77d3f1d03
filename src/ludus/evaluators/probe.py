"""Fingerprint and timing of an evaluator on this machine."""

from __future__ import annotations

import hashlib
import time

import numpy as np

from ludus.evaluators.base import Evaluator
from ludus.evaluators.batch import LeafBatch
from ludus.nets import GameShape

_PROBE_SEED = 20261120


def probe_batch(game: GameShape, rows: int, belief_size: int = 0) -> LeafBatch:
    """The fixed batch: observations in [-1, 1), all actions legal, seats in turn.

    With a ``belief_size`` every row asks for a belief.
    """
    batch = LeafBatch.allocate(game, rows, rows * game.num_actions, belief_size)
    if batch.wanted is not None:
        batch.wanted[...] = 1
    # Raw counter output and exact arithmetic: the same numbers with every version of numpy.
    raw = np.random.Philox(key=_PROBE_SEED).random_raw(batch.observations.size)
    numbers = (raw >> np.uint64(56)).astype(np.float32) / np.float32(128) - np.float32(1)
    batch.observations[...] = numbers.reshape(batch.observations.shape)
    batch.seats[...] = np.arange(rows) % game.num_seats
    batch.legal[...] = np.arange(batch.legal.size)
    batch.offsets[...] = np.arange(rows + 1) * game.num_actions
    return batch


def probe_digest(evaluator: Evaluator, game: GameShape, rows: int) -> str:
    """SHA-256 of the answer to a fixed batch: changes with anything that changes bits.

    Args:
        evaluator: whose weights and backend are to be fingerprinted.
        game: gives the sizes.
        rows: the batch shape that the run uses; other shapes may give other bits.
    """
    batch = probe_batch(game, rows, int(getattr(evaluator, "belief_size", 0)))
    evaluator.evaluate(batch)
    digest = hashlib.sha256(batch.logits.tobytes())
    digest.update(batch.values.tobytes())
    if batch.beliefs is not None:
        digest.update(batch.beliefs.tobytes())
    return digest.hexdigest()


def positions_per_second(
    evaluator: Evaluator, game: GameShape, rows: int, *, seconds: float = 0.1
) -> float:
    """Best rate over repeated batches of this shape, with the torch threads that are set.

    Args:
        evaluator: to be timed.
        game: gives the sizes.
        rows: of a batch.
        seconds: how long to try; at least three batches.
    """
    batch = probe_batch(game, rows)
    evaluator.evaluate(batch)
    best = float("inf")
    end = time.perf_counter() + seconds
    tries = 0
    while tries < 3 or time.perf_counter() < end:
        start = time.perf_counter()
        evaluator.evaluate(batch)
        best = min(best, time.perf_counter() - start)
        tries += 1
    return rows / best
