"""Self-play of Yatzy against the raw network, both on the same cores in the same process, in turns.

Counted are rows that were evaluated and backed up: no padding, no terminal leaves, and there is no
evaluation cache. The raw network has one thread a core, each with an evaluator of its own, and
judges full batches of real positions over and over. Width 256 is the one that
the project's goal is stated for, width 128 the recipe's.
"""

from __future__ import annotations

import os
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import torch

from ludus import _core
from ludus.measure import Figure, Goal, in_turns
from ludus.evaluators import Evaluator, LeafBatch, NetworkEvaluator, choose_backend
from ludus.nets import NetSpec, ResidualMLP
from ludus.players import Lanes, SearchPlayer

GROUP = 256
SEARCH = {"rule": "gumbel", "simulations": [32]}
"""The recipe's."""


def _evaluators(
    net: ResidualMLP, game: _core.Game, count: int
) -> tuple[str, list[NetworkEvaluator]]:
    """The backend that is fastest here, and evaluators that share weights and nothing else."""
    backend = choose_backend(net, game, GROUP)
    first = NetworkEvaluator(net, backend=backend)
    return backend, [first, *(first.clone() for _ in range(count - 1))]


def _slots(game: _core.Game, groups: int, games: int, *, record: bool) -> _core.Slots:
    slots = _core.Slots(
        game,
        slots=groups * GROUP,
        group_size=GROUP,
        seed=1,
        players=[SEARCH],
        record=record,
    )
    ids = np.arange(games)
    slots.schedule(ids, ids.astype(np.uint64), np.zeros((games, game.num_seats), np.int8))
    return slots


def _real_batch(game: _core.Game) -> LeafBatch:
    """A full batch of leaves in the middle of games."""
    slots = _slots(game, 1, GROUP * 4, record=False)
    slots.bind(0, 0)
    for _ in range(1_500):
        slots.collect(0, 0)
        slots.supply_uniform(0, 0)
    batch = LeafBatch.allocate(game, slots.rows, slots.legal_capacity)
    slots.bind(0, 0, batch.observations, batch.seats, batch.legal, batch.offsets)
    rows = slots.collect(0, 0)
    assert rows == GROUP, f"{rows} of {GROUP} rows hold a leaf"
    return batch


def _measure(game: _core.Game, hidden: int, quick: bool) -> Figure:
    cores = os.cpu_count() or 1
    net = ResidualMLP(game, NetSpec(hidden=hidden, blocks=2, margin=True), seed=1)
    backend, evaluators = _evaluators(net, game, cores)
    slots = _slots(game, cores, cores * GROUP * 200, record=True)
    lanes = Lanes(slots, [SearchPlayer(evaluators[0], SEARCH)], game, cores)
    batches = [_real_batch(game) for _ in range(cores)]
    seconds = 0.5 if quick else 2.0

    def work() -> float:
        before = lanes.seconds.rows
        lanes.advance(seconds)
        slots.finished()
        return float(lanes.seconds.rows - before)

    def judge(evaluator: Evaluator, batch: LeafBatch, repeats: int) -> None:
        for _ in range(repeats):
            evaluator.evaluate(batch)

    with ThreadPoolExecutor(cores) as pool:
        work()
        repeats = max(1, int(seconds * lanes.seconds.rows / lanes.seconds.network / GROUP))

        def raw() -> float:
            list(pool.map(judge, evaluators, batches, [repeats] * cores))
            return float(GROUP * repeats * cores)

        try:
            raw()
            figure = in_turns(
                f"yatzy: self-play, network {game.observation_size}-{hidden}-{hidden}-{hidden}",
                "rows/s",
                work,
                against=(f"the raw network on {cores} cores", raw),
                quick=quick,
            )
        finally:
            lanes.close()
    figure.goal = Goal(0.58, on="ratio")
    figure.extra["lanes"] = cores
    figure.extra["backend"] = backend
    figure.extra["phases"] = {
        name: round(share, 3) for name, share in lanes.seconds.shares().items()
    }
    return figure


def measure(quick: bool) -> list[Figure]:
    """Rows evaluated and backed up a second, one lane a core, beside the raw network's rate."""
    torch.set_num_threads(1)
    game = _core.game("yatzy")
    return [_measure(game, hidden, quick) for hidden in (256, 128)]
