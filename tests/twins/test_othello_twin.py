"""The rules of Othello against a twin in plain Python, and against OpenSpiel."""

from __future__ import annotations

import math
import random

import numpy as np
import pytest
from tests.twins.othello_twin import OthelloTwin

from ludus import _core
from ludus.games import get_game

OTHELLO = get_game("othello")
RULES = OTHELLO.rules


def endings(state):
    """Black's view of the end: return, score, margin."""
    one, two = state.scores().tolist()
    assert state.returns().tolist()[1] == -state.returns()[0]
    return int(state.returns()[0]), int(one - two), float(state.margins()[0]), one + two


@pytest.mark.parametrize("seed", range(25))
def test_random_games_are_those_of_the_twin(seed):
    chooser = random.Random(seed)
    state, twin = RULES.initial(), OthelloTwin()
    while twin.legal():
        assert state.kind == "decision"
        assert state.legal().tolist() == state.search_actions().tolist() == twin.legal()
        assert OTHELLO.position_text(state) == twin.text()
        own, other = (8 * y + x for x, y in list(twin.discs)[:2])
        planes = state.observe(state.seat).reshape(5, 64)
        assert planes[0, own] + planes[1, own] == planes[0, other] + planes[1, other] == 1
        assert np.flatnonzero(planes[2]).tolist() == twin.moves(twin.mover)
        assert np.flatnonzero(planes[3]).tolist() == twin.moves(twin.other)
        assert planes[4].all()
        assert (state.observe(1 - state.seat).reshape(5, 64)[[1, 0, 3, 2]] == planes[:4]).all()
        assert not state.observe(1 - state.seat).reshape(5, 64)[4].any()
        action = chooser.choice(twin.legal())
        twin.apply(action)
        state.apply(action)
    assert state.kind == "terminal"
    sign, score, margin, total = endings(state)
    assert score == twin.difference()
    assert sign == (score > 0) - (score < 0)
    assert total == 64  # the empty squares are the winner's, or halved
    assert margin == pytest.approx(math.tanh(score / RULES.margin_scale), abs=1e-6)


def count(twin, depth, passes):
    """Leaves; ``passes`` gets an entry for each pass on the way."""
    if depth == 0 or not twin.legal():
        return 1  # a game that has ended is one leaf
    total = 0
    for action in twin.legal():
        child = OthelloTwin(dict(twin.discs), twin.mover)
        child.apply(action)
        passes += [action] * (action == 64)
        total += count(child, depth - 1, passes)
    return total


def test_counts_of_endings_are_those_of_the_twin():
    """Positions with passes and ends close by: the last plies of random games."""
    passes: list[int] = []
    for seed in range(12):
        chooser = random.Random(seed)
        state, twin = RULES.initial(), OthelloTwin()
        while len(twin.discs) < 59 and twin.legal():
            action = chooser.choice(twin.legal())
            state.apply(action)
            twin.apply(action)
        for depth in (1, 2, 3, 7):
            leaves = count(twin, depth, passes)
            assert _core.perft(state, depth) == leaves
            assert _core.perft(state, depth, bulk=False) == leaves
    assert len(passes) > 10


def test_random_games_are_those_of_openspiel():
    pyspiel = pytest.importorskip("pyspiel")
    theirs = pyspiel.load_game("othello")
    passes = 0
    for seed in range(40):
        chooser = random.Random(seed)
        state, other = RULES.initial(), theirs.new_initial_state()
        while not other.is_terminal():
            assert state.kind == "decision"
            assert state.seat == other.current_player()
            assert state.legal().tolist() == other.legal_actions()
            action = chooser.choice(other.legal_actions())
            passes += action == 64
            state.apply(action)
            other.apply_action(action)
        assert state.kind == "terminal"
        assert state.returns().tolist() == other.returns()
    assert passes > 10
