"""Search of Othello from Python: analysis, limits, interruption, the table."""

from __future__ import annotations

import os
import signal
import threading
import time

import numpy as np
import pytest
from tests.games.endgames import OTHELLO, follow, late_positions, midgames, plain, published

from ludus import _core
from ludus.errors import GameError
from ludus.games.othello_position import Discs
from ludus.games.othello_search import OthelloSearch


def test_without_pruning_it_is_minimax(tables):
    search = OthelloSearch(tables, megabytes=1)
    for state in midgames()[:3]:
        found = search.analyse(state, depth=3, certainty=7)
        assert found.depth == 3 and not found.exact and not found.stopped
        assert found.score * 256 == plain(tables, state, 3)  # black is to move
        leaf = follow(state, found.line)
        assert leaf.packed() == found.leaf.packed()
        sign = 1 if Discs.of(leaf).seat == 0 else -1
        assert sign * plain(tables, leaf, 0) == found.score * 256
        assert found.action == OTHELLO.parse_action(state, found.line[0])


def test_scores_are_positive_where_black_is_better(tables):
    search = OthelloSearch(tables, megabytes=1)
    state, _, _ = published()[43]
    discs = Discs.of(state)
    turned = _core.othello_state(discs.white, discs.black, 1 - discs.seat)
    ours, theirs = search.analyse(state, depth=4), search.analyse(turned, depth=4)
    assert ours.score == -theirs.score and ours.action == theirs.action


@pytest.mark.parametrize("threads", [1, 2])
def test_a_published_endgame_without_an_evaluation(threads):
    state, score, best = published()[40]
    search = OthelloSearch(_core.PatternTables(), megabytes=32)
    found = search.analyse(state, threads=threads)
    assert found.exact and found.score == score and found.action in best
    end = follow(state, found.line)
    assert end.kind != "decision"
    assert plain(None, end, 0) * (1 if Discs.of(end).seat == 0 else -1) == 256 * score
    assert found.nodes_per_second > 0 and "exact" in found.text()


@pytest.mark.slow
@pytest.mark.parametrize("number", [41, 42, 43, 44])
def test_other_published_endgames(number):
    state, score, best = published()[number]
    found = OthelloSearch(_core.PatternTables()).analyse(state)
    sign = 1 if Discs.of(state).seat == 0 else -1
    assert found.exact and sign * found.score == score and found.action in best


def test_actions_one_by_one_best_first(tables):
    search = OthelloSearch(tables, megabytes=1)
    for state in [midgames()[1], *late_positions(2, 7)]:
        found = search.analyse_actions(state, depth=3, certainty=7)
        assert sorted(found) == sorted(state.legal().tolist())
        sign = 1 if Discs.of(state).seat == 0 else -1
        scores = [sign * one.score for one in found.values()]
        assert scores == sorted(scores, reverse=True)
        search.forget()
        assert scores[0] == sign * search.analyse(state, depth=3, certainty=7).score
        for action, one in found.items():
            assert one.depth == 3 or (one.exact and one.depth == 7)
            assert one.action == action and follow(state, one.line).packed() == one.leaf.packed()


def test_the_end_of_a_game_and_passes(tables):
    search = OthelloSearch(tables, megabytes=1)
    over = search.analyse(_core.othello_state(2**64 - 1, 0, 0))
    assert (over.action, over.score, over.exact, over.line) == (None, 64.0, True, ())
    state = OTHELLO.rules.initial()
    random = np.random.default_rng(1)
    while state.legal().tolist() != [64]:
        state.apply(int(random.choice(state.legal())))
        if state.kind != "decision":
            state = OTHELLO.rules.initial()
    found = search.analyse(state, depth=2, endgame=0)
    assert found.action == 64 and found.line[0] == "pass"


def test_limits(tables):
    search = OthelloSearch(tables, megabytes=8)
    state = midgames()[0]
    found = search.analyse(state, nodes=30_000)
    assert found.stopped and 30_000 <= found.nodes < 30_200 and found.depth >= 3
    search.forget()
    again = search.analyse(state, nodes=30_000)
    assert (again.line, again.score, again.nodes) == (found.line, found.score, found.nodes)

    begun = time.monotonic()
    found = search.analyse(state, ms=50)
    assert found.stopped and 0.05 <= found.seconds <= time.monotonic() - begun < 2.0
    assert found.action in state.legal().tolist()
    for limit in ({"depth": 0}, {"threads": 65}, {"certainty": 8}, {"ms": -1.0}):
        with pytest.raises(GameError, match="must be from"):
            search.analyse(state, **limit)


def test_ctrl_c_gets_through(tables):
    search = OthelloSearch(tables, megabytes=8)
    timer = threading.Timer(0.2, os.kill, (os.getpid(), signal.SIGINT))
    begun = time.monotonic()
    timer.start()
    with pytest.raises(KeyboardInterrupt):
        search.analyse(midgames()[0])
    assert time.monotonic() - begun < 5.0
    assert search.analyse(midgames()[0], depth=2).depth == 2


def test_another_thread_stops_a_search(tables):
    search = OthelloSearch(tables, megabytes=8)
    timer = threading.Timer(0.2, search.stop)
    timer.start()
    found = search.analyse(midgames()[0], threads=2)
    assert found.stopped and found.action in midgames()[0].legal().tolist()


def test_the_table_shrinks_and_counts(tables):
    search = OthelloSearch(tables, megabytes=16)
    state = midgames()[0]
    before = search.analyse(state, depth=6, certainty=7)
    figures = search.statistics()
    assert figures["megabytes"] == 16 and 0 < figures["fill"] < 1
    assert 0 < figures["hits"] < figures["probes"]
    assert figures["hit_rate"] == figures["hits"] / figures["probes"] == before.hit_rate
    known = search.analyse(state, depth=6, certainty=7)  # an earlier search helps
    assert known.score == before.score and known.nodes < before.nodes / 2
    search.resize(2)
    figures = search.statistics()
    assert figures["megabytes"] == 2 and figures["fill"] == 0
    assert search.analyse(state, depth=6, certainty=7).score == before.score
    for size in (0, -1, 1e9):
        with pytest.raises(GameError, match="transposition table"):
            search.resize(size)


@pytest.mark.parametrize("empty", [1, 2, 5, 9, 13, 30, 59])
def test_whatever_the_limits_the_line_is_legal_and_ends_at_the_leaf(tables, empty):
    draw = np.random.default_rng(empty)
    search = OthelloSearch(tables, megabytes=1)
    for state in late_positions(6, empty, seed=empty):
        limits = {
            "depth": int(draw.choice([1, 2, 4, 60])),
            "nodes": int(draw.choice([1, 40, 700])),
            "endgame": int(draw.choice([0, 6, 14])),
            "certainty": int(draw.choice([0, 3, 7])),
            "threads": int(draw.choice([1, 1, 2])),
        }
        found = search.analyse(state, **limits)
        assert found.action in state.legal().tolist(), limits
        assert follow(state, found.line).packed() == found.leaf.packed(), limits
        if found.exact and not found.stopped:
            assert found.leaf.kind != "decision", limits
