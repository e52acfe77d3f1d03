"""Fit the deviations of multi-ProbCut to pattern tables: ``kProbCutFit`` of the search.

    python tools/fit_probcut.py RUN [--positions 300] [--deepest 8]

Positions of one-ply self-play with a tenth of random moves are searched to all depths without
pruning. Over positions with like numbers of empty squares, the differences between a shallow and a
deep score, both depths even or both odd, have a root mean square; its logarithm is fitted by least
squares to the formula in ``cpp/patterns/othello_probcut.h`` (Buro, "Experiments with multi-ProbCut
and a new high-quality evaluation function for Othello", 1997).
"""

from __future__ import annotations

import argparse
import math
import sys
from collections import defaultdict
from collections.abc import Iterator

import numpy as np
import numpy.typing as npt

from ludus import _core
from ludus.evaluators.tables import TableEvaluator
from ludus.games.othello_position import Discs
from ludus.games.othello_search import DISC, OthelloSearch, sides

LEAST, MOST = 10, 54
"""Empty squares of the positions, and those of a group."""

GROUP = 6
RANDOM_MOVES = 0.1


def positions(tables: _core.PatternTables, count: int) -> Iterator[_core.State]:
    """One of each game, with a number of empty squares drawn evenly."""
    draw = np.random.default_rng(1)
    rules = _core.game("othello")
    while count:
        wanted = int(draw.integers(LEAST, MOST + 1))
        state = rules.initial()
        while state.kind == "decision" and 64 - sum(Discs.of(state).counts) > wanted:
            legal = state.legal()
            action = int(draw.choice(legal))
            if draw.random() >= RANDOM_MOVES and 64 - sum(Discs.of(state).counts) < 56:
                packed = np.frombuffer(state.packed(), np.uint8)[None]
                key = np.array([draw.integers(2**63)], np.uint64)
                action = int(_core.one_ply_choose(tables, packed.copy(), key)[0])
            state.apply(action)
        if state.kind == "decision":
            count -= 1
            yield state


def scores(
    search: OthelloSearch, tables: _core.PatternTables, state: _core.State, deepest: int
) -> list[float]:
    """By depth from 0 on, in 1/256 disc for black."""
    discs = Discs.of(state)
    own, opp = sides(discs)
    sign = 1 if discs.seat == 0 else -1
    found = [sign * float(tables.evaluate_words(np.array([[own, opp]], np.uint64))[0])]
    search.forget()
    for depth in range(1, deepest + 1):
        answer = search.analyse(state, depth=depth, endgame=0, certainty=7)
        found.append(DISC * answer.score)
    return found


def features(empty: float, shallow: int, deep: int) -> list[float]:
    """What the six numbers of the formula are multiplied with."""
    x, y = empty / 60.0, math.log(shallow + 1.0)
    return [1.0, math.log(deep - shallow), y, x, x * x, x * y]


def fit(rows: dict[tuple[int, int, int], list[float]]) -> tuple[npt.NDArray[np.float64], float]:
    """The six numbers, and by how much the logarithms miss (root mean square).

    Args:
        rows: differences in 1/256 disc by (group of empty squares, shallow, deep).
    """
    left, right, weight = [], [], []
    for (group, shallow, deep), differences in rows.items():
        if len(differences) >= 8:
            square = float(np.mean(np.square(differences)))
            left.append(features(GROUP * (group + 0.5), shallow, deep))
            right.append(0.5 * math.log(max(square, 1.0)))
            weight.append(math.sqrt(len(differences)))
    a, b, w = np.array(left), np.array(right), np.array(weight)
    found = np.linalg.lstsq(a * w[:, None], b * w, rcond=None)[0]
    missed = np.sqrt(np.average((a @ found - b) ** 2, weights=w**2))
    return found, float(missed)


def main() -> int:
    """From the command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("tables", help="a run, a checkpoint or a file of pattern tables")
    parser.add_argument("--positions", type=int, default=300)
    parser.add_argument("--deepest", type=int, default=8)
    asked = parser.parse_args()
    tables = TableEvaluator(asked.tables).tables
    search = OthelloSearch(tables, megabytes=32)
    rows: dict[tuple[int, int, int], list[float]] = defaultdict(list)
    for state in positions(tables, asked.positions):
        empty = 64 - sum(Discs.of(state).counts)
        by_depth = scores(search, tables, state, min(asked.deepest, empty - 1))
        for deep in range(2, len(by_depth)):
            for shallow in range(deep % 2, deep, 2):
                difference = by_depth[deep] - by_depth[shallow]
                rows[empty // GROUP, shallow, deep].append(difference)
    numbers, missed = fit(rows)
    sys.stdout.write(f"{{{', '.join(f'{number:.4f}' for number in numbers)}}}\n")
    sys.stdout.write(f"the logarithms miss by {missed:.3f}\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
