"""Fingerprint and timing of an evaluator on this machine."""

from __future__ import annotations

import hashlib
import time

import numpy as np

from ludus.evaluators.base import Evaluator
from ludus.evaluators.batch import LeafBatch
from ludus.evaluators.network import NetworkEvaluator, Precision
from ludus.nets import GameShape, ResidualMLP

_PROBE_SEED = 20261120
_FASTER = 1.1
"""bfloat16 must be faster by this factor; else the more exact float32 is taken."""


class _NetShape:
    """The sizes of a network's game, as far as a probe batch needs them."""

    def __init__(self, net: ResidualMLP) -> None:
        self.name = self.rules_id = self.encoder_id = self.action_space_id = "probe"
        self.num_actions = net.num_actions
        self.num_seats = 2 if net.value_columns == 1 else net.value_columns
        self.observation_size = net.num_inputs
        self.observation_shape = (net.num_inputs,)


def probe_batch(game: GameShape, rows: int) -> LeafBatch:
    """The fixed batch: observations in [-1, 1), all actions legal, seats in turn."""
    batch = LeafBatch.allocate(game, rows, rows * game.num_actions)
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
        evaluator: whose weights, precision and backend are to be fingerprinted.
        game: gives the sizes.
        rows: the batch shape that the run uses; other shapes may give other bits.
    """
    batch = probe_batch(game, rows)
    evaluator.evaluate(batch)
    digest = hashlib.sha256(batch.logits.tobytes())
    digest.update(batch.values.tobytes())
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


def choose_precision(net: ResidualMLP, rows: int) -> Precision:
    """The precision that is faster here by a short timing; float32 unless it clearly loses.

    The answer depends on the machine: record it in the run and do not ask again on resume.
    """
    shape = _NetShape(net)
    f32 = positions_per_second(NetworkEvaluator(net, precision="f32"), shape, rows)
    bf16 = positions_per_second(NetworkEvaluator(net, precision="bf16"), shape, rows)
    return "bf16" if bf16 > f32 * _FASTER else "f32"
