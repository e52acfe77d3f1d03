"""Othello's pattern tables: one evaluation, many from an array, learning by self-play.

Evaluations of positions with 30 empty squares, all moves of each, tables that have learned a
little: index vectors that follow the move, index vectors from nothing, and as the rival of both a
look at each square, what naive code does. Learning: games a second with one ply of search, updates
included, one and two threads; the rival is random games by the rules alone.
"""

from __future__ import annotations

import time

import numpy as np

from ludus import _core
from ludus.measure import Figure, Goal, in_turns

POSITIONS, EMPTIES = 400, 30
SETTINGS = {"rate": 0.05, "epsilon": 0.15, "opening": 0}


def _learned(games: int) -> _core.TdLearner:
    learner = _core.TdLearner(seed=1, batch=512, sample_every=0, trace_lambda=0.7, cut=False)
    learner.train(games, 1e9, threads=1, **SETTINGS)
    return learner


def _evaluations(tables: _core.PatternTables, quick: bool) -> list[Figure]:
    work = _core.EvaluationWork(tables, positions=POSITIONS, empties=EMPTIES, seed=1)
    repeats = 50 if quick else 200

    def ways(way: str, share: int) -> float:
        work.run(way, repeats // share)
        return float(work.moves * (repeats // share))

    plain = ("square by square", lambda: ways("plain", 10))
    figures = [
        in_turns(
            "othello: evaluation, indices follow the move",
            "evaluations/s",
            lambda: ways("incremental", 1),
            against=plain,
            quick=quick,
            goal=Goal(1e9 / 70),
        ),
        in_turns(
            "othello: evaluation from nothing",
            "evaluations/s",
            lambda: ways("from_scratch", 2),
            against=plain,
            quick=quick,
        ),
    ]
    for figure in figures:
        figure.extra["nanoseconds"] = round(1e9 / figure.median, 1)
    return figures


def _array(tables: _core.PatternTables, quick: bool) -> Figure:
    """A million boards of all stages, as cells."""
    random = np.random.default_rng(1)
    boards = 200_000 if quick else 1_000_000
    filled = random.random((boards, 64)) < random.random((boards, 1))
    cells = (filled * random.integers(1, 3, (boards, 64))).astype(np.uint8)
    cells[:, [27, 28, 35, 36]] = [2, 1, 1, 2]
    movers = np.ones(boards, np.uint8)

    def copied() -> float:
        for _ in range(20):
            cells.copy()
        return 20.0 * boards

    return in_turns(
        "othello: evaluation of an array of boards",
        "boards/s",
        lambda: float(len(tables.evaluate(cells, movers))),
        against=("copying the array", copied),
        quick=quick,
        goal=Goal(5e6),
    )


def _learning(learner: _core.TdLearner, threads: int, quick: bool) -> Figure:
    games = 4096 if quick else 16384
    spent = {"play": 0.0, "learn": 0.0}

    def work() -> float:
        found = learner.train(learner.games + games, 1e9, threads=threads, **SETTINGS)
        spent["play"] += found["play_seconds"]
        spent["learn"] += found["learn_seconds"]
        return float(found["games"])

    rules = _core.game("othello")

    def playouts() -> float:
        _core.random_playouts(rules, games, seed=1)
        return float(games)

    begun, processor = time.perf_counter(), time.process_time()
    figure = in_turns(
        f"othello: games learned, {threads} thread{'s' if threads > 1 else ''}",
        "games/s",
        work,
        against=("random games by the rules alone, one thread", playouts),
        quick=quick,
        goal=Goal(15_000 if threads > 1 else 8_500),
    )
    processor = (time.process_time() - processor) / (time.perf_counter() - begun)
    total = sum(spent.values())
    figure.extra["phases"] = {name: round(seconds / total, 2) for name, seconds in spent.items()}
    figure.extra["processors_busy"] = round(processor, 2)
    figure.extra["update_ms"] = round(1e3 * spent["learn"] / total / figure.median, 4)
    return figure


def measure(quick: bool) -> list[Figure]:
    """Evaluations and boards on one core, learned games on one and two."""
    learner = _learned(4096 if quick else 32768)
    frozen = learner.tables.copy()
    return [
        *_evaluations(frozen, quick),
        _array(frozen, quick),
        _learning(learner, 1, quick),
        _learning(learner, 2, quick),
    ]
