"""Whole self-play games with a fixed dummy in place of the network: what everything else costs.

Games are played from the first to the last decision through lanes, records and all. One dummy
answers at once, one keeps every batch waiting for a fixed time, as a server would; both
answer the same always, so that what changes between revisions is the rest.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable

import numpy as np

from ludus import _core
from ludus.evaluators import Evaluator, LeafBatch, ScriptedEvaluator
from ludus.measure import Figure, in_turns
from ludus.players import Lanes, SearchPlayer

SLOTS = 512
GROUP = 128
LATENCY = 0.0005
SETTINGS = {"rule": "gumbel", "simulations": [16]}


def _answer(batch: LeafBatch) -> None:
    batch.logits.fill(0.0)
    batch.values.fill(0.0)


def _wait(batch: LeafBatch) -> None:
    time.sleep(LATENCY)
    _answer(batch)


class _Series:
    """Plays a fixed number of games to their end, and adds up what it took."""

    def __init__(self, game: _core.Game, evaluator: Evaluator, lanes: int, games: int) -> None:
        self._game, self._lanes, self._count = game, lanes, games
        self._player = SearchPlayer(evaluator, SETTINGS)
        self.games = self.simulations = self.rows = self.cpu = self.seconds = 0.0

    def play(self) -> float:
        """Games played: the same games every time."""
        slots = _core.Slots(
            self._game, slots=SLOTS, group_size=GROUP, seed=1, players=[SETTINGS], record=True
        )
        ids = np.arange(self._count)
        seats = np.zeros((self._count, self._game.num_seats), np.int8)
        slots.schedule(ids, ids.astype(np.uint64), seats)
        cpu, began, done = time.process_time(), time.perf_counter(), 0
        with Lanes(slots, [self._player], self._game, self._lanes) as lanes:
            while lanes.advance(0.25):
                done += len(slots.finished()["game_id"])
        done += len(slots.finished()["game_id"])
        self.cpu += time.process_time() - cpu
        self.seconds += time.perf_counter() - began
        counters = slots.counters()
        self.games += done
        self.simulations += counters["simulations"]
        self.rows += counters["rows"]
        return float(done)


def measure(quick: bool) -> list[Figure]:
    """Games a second with both dummies; simulations, evaluations and processor time beside them."""
    game = _core.game("yatzy")
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    lanes = max(1, min(cores or 1, SLOTS // GROUP))
    games = SLOTS // 2 if quick else 2 * SLOTS
    batch = LeafBatch.allocate(game, GROUP, GROUP * game.max_legal)
    waiting = ScriptedEvaluator(_wait, "waiting")
    figures = []
    tree = _core.Slots(
        game, slots=SLOTS, group_size=SLOTS, seed=1, players=[SETTINGS], record=False
    )
    many = np.arange(SLOTS * 400)
    tree.schedule(many, many.astype(np.uint64), np.zeros((len(many), game.num_seats), np.int8))

    def tree_alone() -> float:
        before = tree.counters()["simulations"]
        tree.run_uniform(300_000)
        return float(tree.counters()["simulations"] - before)

    def dummy_alone() -> float:
        for _ in range(100):
            waiting.evaluate(batch)
        return 100.0 * GROUP

    for title, evaluator, counted, name, rival in (
        (
            "dummy that answers at once",
            # Not the uniform evaluator: for that one nothing has to be encoded.
            ScriptedEvaluator(_answer, "at once"),
            "simulations",
            "one core's tree alone",
            tree_alone,
        ),
        ("dummy of 0.5 ms a batch", waiting, "rows", "one core's dummy alone", dummy_alone),
    ):
        series = _Series(game, evaluator, lanes, games)
        series.play()

        def rival_games(
            series: _Series = series, counted: str = counted, rival: Callable[[], float] = rival
        ) -> float:
            """What the rival did, in games of as many simulations or rows."""
            return rival() * series.games / float(getattr(series, counted))

        figure = in_turns(
            f"{game.name}: games, {title}",
            "games/s",
            series.play,
            against=(name, rival_games),
            quick=quick,
        )
        figure.extra.update(
            simulations_per_second=round(series.simulations / series.seconds),
            evaluations_per_second=round(series.rows / series.seconds),
            processor=f"{series.cpu / series.seconds / lanes:.0%} of {lanes} lanes",
        )
        figures.append(figure)
    return figures
