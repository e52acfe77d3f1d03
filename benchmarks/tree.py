"""The tree alone, and with observations and softmax: one lane, 256 slots, 64 simulations a move.

A simulation is selection, evaluation and backup; the root is fresh at each decision and is not
counted; games are played along by the search; no forced moves are skipped. All of it goes through
the slots, as self-play does.

- alone: the uniform evaluator, which is shown nothing and gives no logits;
- with encoding and softmax: observations and legal actions are written for each leaf, and fixed
  uneven logits and values come back. Each leaf's logits are checked and stored; the softmax is
  taken when a simulation first goes through a node. ``opened`` says how often that was.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from ludus import _core
from ludus.evaluators import LeafBatch
from ludus.measure import Figure, Goal, in_turns

SLOTS = 256
SIMULATIONS = 64


def _slots(game: _core.Game, rule: str) -> _core.Slots:
    player = {"rule": rule, "simulations": [SIMULATIONS], "forced_fast_path": False}
    slots = _core.Slots(game, slots=SLOTS, group_size=SLOTS, seed=1, players=[player], record=False)
    games = SLOTS * 400
    slots.schedule(
        np.arange(games),
        np.arange(games, dtype=np.uint64),
        np.zeros((games, game.num_seats), np.int8),
    )
    return slots


def _answers(batch: LeafBatch) -> None:
    """Uneven logits and values that do not change: what they cost is the evaluator's business."""
    draws = np.random.Generator(np.random.PCG64(1))
    batch.logits[...] = draws.normal(0.0, 1.5, batch.logits.shape)
    batch.values[...] = np.tanh(draws.normal(0.0, 0.5, batch.values.shape))


def _driver(game: _core.Game, slots: _core.Slots, *, encoded: bool) -> Callable[[int], None]:
    """A function that makes about so many simulations."""
    if not encoded:
        return slots.run_uniform
    batch = LeafBatch.allocate(game, slots.rows, slots.legal_capacity)
    slots.bind(0, 0, batch.observations, batch.seats, batch.legal, batch.offsets)
    _answers(batch)

    def run(simulations: int) -> None:
        for _ in range(simulations // SLOTS):
            slots.collect(0, 0)
            slots.supply(0, 0, batch.logits, batch.values)

    return run


def _extra(slots: _core.Slots, before: dict[str, Any]) -> dict[str, Any]:
    counters = slots.counters()
    simulations = counters["simulations"] - before["simulations"]
    passes = slots.passes()
    return {
        "bytes_per_node": round(counters["node_bytes"] / counters["nodes"], 1),
        "bytes_per_simulation": round(counters["node_bytes"] / counters["simulations"], 1),
        "mean_depth": round(counters["depth"] / counters["simulations"], 2),
        "opened_per_simulation": round((counters["opened"] - before["opened"]) / simulations, 3),
        "growths_after_warm_up": counters["growths"] - before["growths"],
        "phases": {
            name: round(spent / sum(passes.values()), 2) for name, spent in passes.items() if spent
        },
    }


def measure(quick: bool) -> list[Figure]:
    """Simulations a second under both rules, alone and with encoding and softmax."""
    figures = []
    for name in _core.game_names():
        game = _core.game(name)
        for rule in ("puct", "gumbel"):
            for encoded, title in ((False, "tree alone"), (True, "tree, encoding and softmax")):
                slots = _slots(game, rule)
                run = _driver(game, slots, encoded=encoded)
                run(1_000_000)  # every slot's memory has been touched and has its size
                warm = slots.counters()
                chunk = 500_000 if quick else 2_000_000

                def work(
                    slots: _core.Slots = slots,
                    run: Callable[[int], None] = run,
                    chunk: int = chunk,
                ) -> float:
                    before = slots.counters()["simulations"]
                    run(chunk)
                    return float(slots.counters()["simulations"] - before)

                figure = in_turns(f"{name}: {title}, {rule}", "simulations/s", work, quick=quick)
                figure.goal = Goal(3.5e6 if encoded else 5e6)
                figure.extra.update(_extra(slots, warm))
                figures.append(figure)
    return figures
