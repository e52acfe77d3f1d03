"""The network evaluator on every backend against torch's bare matrix products, one thread.

Width 128 is the Yatzy recipe's.
"""

from __future__ import annotations

import itertools

import numpy as np
import torch

from ludus import _core
from ludus.evaluators import LeafBatch, NetworkEvaluator, calibration_report
from ludus.measure import Figure, in_turns
from ludus.nets import NetSpec, ResidualMLP

ROWS = 256


def _batch(game: _core.Game) -> LeafBatch:
    """A full batch of real positions: the roots of fresh games."""
    slots = _core.Slots(
        game, slots=ROWS, group_size=ROWS, seed=1, players=[{"simulations": [1]}], record=False
    )
    slots.schedule(
        np.arange(ROWS), np.arange(ROWS, dtype=np.uint64), np.zeros((ROWS, game.num_seats), np.int8)
    )
    batch = LeafBatch.allocate(game, slots.rows, slots.legal_capacity)
    slots.bind(0, 0, batch.observations, batch.seats, batch.legal, batch.offsets)
    slots.collect(0, 0)
    return batch


def measure(quick: bool) -> list[Figure]:
    """Positions a second by backend, and the share of the bare float32 products' rate."""
    torch.set_num_threads(1)
    game = _core.game("yatzy")
    batch = _batch(game)
    inputs = torch.from_numpy(batch.observations)
    repeats = 20 if quick else 200
    nets = [ResidualMLP(game, NetSpec(hidden=hidden, blocks=2), seed=1) for hidden in (128, 256)]
    # Backends that are missing, disagree or are hopeless here have no figure.
    usable = [row.backend for row in calibration_report(nets[0], game, ROWS) if row.usable]
    figures = []
    for net, backend in itertools.product(nets, usable):
        evaluator = NetworkEvaluator(net, backend=backend)
        weights = [layer.weight.detach() for layer in net.layers()]

        def bare(weights: list[torch.Tensor] = weights) -> float:
            with torch.inference_mode():
                for _ in range(repeats):
                    hidden = inputs
                    for weight in weights:
                        hidden = torch.nn.functional.linear(hidden, weight)
            return float(ROWS * repeats)

        def work(evaluator: NetworkEvaluator = evaluator) -> float:
            for _ in range(repeats):
                evaluator.evaluate(batch)
            return float(ROWS * repeats)

        width = net.spec.hidden
        figures.append(
            in_turns(
                f"yatzy: evaluator {net.num_inputs}-{width}-{width}-{width}, {backend}",
                "positions/s",
                work,
                against=("bare matrix products", bare),
                quick=quick,
            )
        )
    return figures
