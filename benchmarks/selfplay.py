"""Self-play against the raw network, both on the same cores in the same process, in turns.

Counted are rows that were evaluated and backed up: no padding, no terminal leaves, and there is no
evaluation cache. The raw network has one thread a core, each with an evaluator of its own, and
judges batches of real positions over and over. Width 256 is the one that the project's goal is
stated for, width 128 the recipe's. The board is a game in Python: its rules hold the interpreter.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from time import perf_counter
from typing import Any

import numpy as np
import torch

from ludus import _core
from ludus.evaluators import Evaluator, LeafBatch, NetworkEvaluator, choose_backend
from ludus.games import get_game
from ludus.measure import Figure, Goal, in_turns
from ludus.nets import Network, build
from ludus.players import Lanes, SearchPlayer

EXAMPLES = Path(__file__).resolve().parents[1] / "examples"
SEARCH: dict[str, Any] = {"rule": "gumbel", "simulations": [32]}
"""That of the recipes."""

WORLDS: dict[str, Any] = {
    "rule": "gumbel",
    "simulations": [20],
    "worlds": 2,
    "open_worlds": True,
}
"""Of Blob: two worlds with twenty simulations each, at every decision that is not forced."""


@dataclass(frozen=True)
class Case:
    """What plays: a game with a network, in groups of so many slots, and what is asked of it."""

    title: str
    game: _core.Game
    net: Network
    group: int
    goal: float
    search: Mapping[str, Any] = field(default_factory=lambda: SEARCH)


def _evaluators(case: Case, count: int) -> tuple[str, list[NetworkEvaluator]]:
    """The backend that is fastest here, and evaluators that share weights and nothing else."""
    backend = choose_backend(case.net, case.game, case.group)
    first = NetworkEvaluator(case.net, backend=backend)
    return backend, [first, *(first.clone() for _ in range(count - 1))]


def _slots(case: Case, groups: int, games: int, *, record: bool) -> _core.Slots:
    slots = _core.Slots(
        case.game,
        slots=groups * case.group,
        group_size=case.group,
        seed=1,
        players=[dict(case.search)],
        record=record,
    )
    ids = np.arange(games)
    slots.schedule(ids, ids.astype(np.uint64), np.zeros((games, case.game.num_seats), np.int8))
    return slots


def _real_batch(case: Case) -> LeafBatch:
    """A batch of leaves in the middle of games."""
    slots = _slots(case, 1, case.group * 4, record=False)
    slots.bind(0, 0)
    for _ in range(300):
        slots.collect(0, 0)
        slots.supply_uniform(0, 0)
    batch = LeafBatch.allocate(case.game, slots.rows, slots.legal_capacity)
    slots.bind(0, 0, batch.observations, batch.seats, batch.legal, batch.offsets, batch.players)
    rows = slots.collect(0, 0)
    assert rows > case.group // 2, f"{rows} of {case.group} rows hold a leaf"
    return batch


def _measure(case: Case, quick: bool) -> Figure:
    cores = os.cpu_count() or 1
    backend, evaluators = _evaluators(case, cores)
    slots = _slots(case, cores, cores * case.group * 200, record=True)
    lanes = Lanes(slots, [SearchPlayer(evaluators[0], case.search)], case.game, cores)
    batches = [_real_batch(case) for _ in range(cores)]
    seconds = 0.5 if quick else 2.0
    played: list[tuple[int, float]] = []

    def work() -> float:
        before, games = lanes.seconds.rows, slots.counters()["games"]
        began = perf_counter()
        lanes.advance(seconds)
        played.append((slots.counters()["games"] - games, perf_counter() - began))
        slots.finished()
        return float(lanes.seconds.rows - before)

    def judge(evaluator: Evaluator, batch: LeafBatch, repeats: int) -> None:
        for _ in range(repeats):
            evaluator.evaluate(batch)

    with ThreadPoolExecutor(cores) as pool:
        work()
        repeats = max(1, int(seconds * lanes.seconds.rows / lanes.seconds.network / case.group))

        def raw() -> float:
            list(pool.map(judge, evaluators, batches, [repeats] * cores))
            return float(case.group * repeats * cores)

        try:
            raw()
            figure = in_turns(
                case.title,
                "rows/s",
                work,
                against=(f"the raw network on {cores} cores", raw),
                quick=quick,
            )
        finally:
            lanes.close()
    figure.goal = Goal(case.goal, on="ratio")
    figure.extra["lanes"] = cores
    figure.extra["backend"] = backend
    games, spent = (sum(numbers) for numbers in zip(*played, strict=True))
    figure.extra["games_a_minute"] = round(60.0 * games / spent)
    figure.extra["phases"] = {
        name: round(share, 3) for name, share in lanes.seconds.shares().items()
    }
    return figure


def measure(quick: bool) -> list[Figure]:
    """Rows evaluated and backed up a second, one lane a core, beside the raw network's rate."""
    torch.set_num_threads(1)
    yatzy = _core.game("yatzy")
    board = get_game(f"{EXAMPLES / 'connect_four.py'}:ConnectFour").rules
    cases = [
        Case(
            f"yatzy: self-play, network {yatzy.observation_size}-{hidden}-{hidden}-{hidden}",
            yatzy,
            build(yatzy, hidden=hidden, blocks=2, seed=1),
            256,
            0.58,
        )
        for hidden in (256, 128)
    ]
    tower = build(
        board, kind="residual_tower", channels=64, blocks=5, head_channels=4, margin=False, seed=1
    )
    cases.append(
        Case("connect_four (in Python): self-play, tower of 5 blocks of 64", board, tower, 64, 0.85)
    )
    blob = _core.game("blob:players=5,cards=5")
    cases.append(
        Case(
            "blob, 5 players, 5 cards, 2 x 20: self-play, network 620-128-128-128",
            blob,
            build(blob, hidden=128, blocks=2, seed=1),
            128,
            0.7,
            WORLDS,
        )
    )
    return [_measure(case, quick) for case in cases]
