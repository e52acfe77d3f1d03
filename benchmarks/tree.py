"""The tree alone: one lane, 256 slots, 64 simulations a decision, the uniform evaluator in C++.

A simulation is selection, expansion, evaluation and backup; the root is fresh at each decision and
is not counted; games are played along by the search; no forced moves are skipped. All of it goes
through the slots, as self-play does.
"""

from __future__ import annotations

import numpy as np

from ludus import _core
from ludus.cli.bench import Figure, in_turns

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


def measure(quick: bool) -> list[Figure]:
    """Simulations a second under both rules, and bytes a node and a simulation."""
    figures = []
    for name in _core.game_names():
        game = _core.game(name)
        for rule in ("puct", "gumbel"):
            slots = _slots(game, rule)
            slots.run_uniform(500_000)  # every slot's memory has been touched once
            chunk = 500_000 if quick else 2_000_000

            def work(slots: _core.Slots = slots, chunk: int = chunk) -> float:
                before = slots.counters()["simulations"]
                slots.run_uniform(chunk)
                return float(slots.counters()["simulations"] - before)

            figure = in_turns(f"{name}: tree, {rule}", "simulations/s", work, quick=quick)
            counters = slots.counters()
            figure.extra["bytes_per_node"] = round(counters["node_bytes"] / counters["nodes"], 1)
            figure.extra["bytes_per_simulation"] = round(
                counters["node_bytes"] / counters["simulations"], 1
            )
            figure.extra["mean_depth"] = round(counters["depth"] / counters["simulations"], 2)
            figure.extra["growths_after_warm_up"] = counters["growths"]
            figures.append(figure)
    return figures
