"""The network evaluator against the bare matrix products, one thread; width 128 is the recipe's."""

from __future__ import annotations

import itertools

import numpy as np
import torch

from ludus import _core
from ludus.cli.bench import Figure, in_turns
from ludus.evaluators import LeafBatch, NetworkEvaluator
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
    """Positions a second by precision, and the share of the bare products' rate."""
    torch.set_num_threads(1)
    game = _core.game("yatzy")
    batch = _batch(game)
    repeats = 20 if quick else 200
    figures = []
    for hidden, precision in itertools.product((128, 256), ("f32", "bf16")):
        net = ResidualMLP(game, NetSpec(hidden=hidden, blocks=2, margin=True), seed=1)
        evaluator = NetworkEvaluator(net, precision=precision)
        dtype = torch.bfloat16 if precision == "bf16" else torch.float32
        inputs = torch.from_numpy(batch.observations).to(dtype)
        weights = [layer.weight.detach().to(dtype) for layer in net.layers()]

        def bare(inputs: torch.Tensor = inputs, weights: list[torch.Tensor] = weights) -> float:
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

        figures.append(
            in_turns(
                f"yatzy: evaluator 96-{hidden}-{hidden}-{hidden}, {precision}",
                "positions/s",
                work,
                against=("bare matrix products", bare),
                quick=quick,
            )
        )
    return figures
