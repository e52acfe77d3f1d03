"""Self-play of the Yatzy recipe's network and search against the network alone."""

from __future__ import annotations

import os

import numpy as np
import torch

from ludus import _core
from ludus.cli.bench import Figure, in_turns
from ludus.evaluators import LeafBatch, NetworkEvaluator, choose_backend
from ludus.nets import NetSpec, ResidualMLP
from ludus.players import Lanes, SearchPlayer

SLOTS = 512
GROUP = 256


def measure(quick: bool) -> list[Figure]:
    """Leaves evaluated and backed up a second, one lane a core, beside the raw network's rate."""
    torch.set_num_threads(1)
    game = _core.game("yatzy")
    net = ResidualMLP(game, NetSpec(hidden=128, blocks=2, margin=True), seed=1)
    backend = choose_backend(net, game, GROUP)
    evaluator = NetworkEvaluator(net, backend=backend)
    cores = min(os.cpu_count() or 1, SLOTS // GROUP)
    settings = {"rule": "gumbel", "simulations": [32]}
    slots = _core.Slots(
        game, slots=SLOTS, group_size=GROUP, seed=1, players=[settings], record=True
    )
    games = SLOTS * 200
    slots.schedule(
        np.arange(games),
        np.arange(games, dtype=np.uint64),
        np.zeros((games, game.num_seats), np.int8),
    )
    lanes = Lanes(slots, [SearchPlayer(evaluator, settings)], game, cores)
    batch = LeafBatch.allocate(game, GROUP, slots.legal_capacity)
    legal = np.arange(GROUP * 24)
    batch.legal[: GROUP * 24] = legal // 24 * game.num_actions + legal % 24
    batch.offsets[...] = np.arange(GROUP + 1) * 24
    repeats = 100 if quick else 1_000

    def work() -> float:
        before = slots.counters()["rows"]
        lanes.advance(0.5 if quick else 2.0)
        slots.finished()
        return float(slots.counters()["rows"] - before)

    def bare() -> float:
        for _ in range(repeats):
            evaluator.evaluate(batch)
        return float(GROUP * repeats)

    try:
        figure = in_turns(
            f"yatzy: self-play, {cores} lanes",
            "leaves/s",
            work,
            against=("evaluator on one core", bare),
            quick=quick,
        )
    finally:
        lanes.close()
    figure.extra["lanes"] = cores
    figure.extra["backend"] = backend
    return [figure]
