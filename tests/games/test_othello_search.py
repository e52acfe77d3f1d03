"""Search of Othello from Python: analysis, limits, interruption, the table, players of tables."""

from __future__ import annotations

import os
import signal
import threading
import time

import numpy as np
import pytest
from tests.games.endgames import OTHELLO, late_positions, midgames, packed, published, sides

from ludus import _core
from ludus.errors import GameError, PlayerError
from ludus.games.othello_position import Discs
from ludus.games.othello_search import OthelloSearch, SearchChooser, search_limits


@pytest.fixture(scope="module")
def tables():
    """Random ones: they look at all patterns."""
    made = _core.PatternTables()
    noise = np.random.default_rng(3).integers(-300, 301, made.all().shape)
    made.load((32768 + noise).astype(np.uint16))
    return made


def follow(state, actions):
    state = state.copy()
    for action in actions:
        state.apply(OTHELLO.parse_action(state, action))
    return state


def plain(tables, state, depth):
    """Minimax for the side to move, in 1/256 disc; a pass takes no depth."""
    own, opp = sides(state)
    if state.kind != "decision":
        black, white = Discs.of(state).counts
        ahead = black - white
        ahead += (64 - black - white) * ((ahead > 0) - (ahead < 0))
        return 256 * ahead * (1 if Discs.of(state).seat == 0 else -1)
    if depth == 0:
        return int(tables.evaluate_words(np.array([[own, opp]], np.uint64))[0])
    best = -(2**31)
    for action in state.legal().tolist():
        reply = state.copy()
        reply.apply(action)
        score = plain(tables, reply, depth - (action != 64))
        if Discs.of(reply).seat != Discs.of(state).seat:
            score = -score
        best = max(best, score)
    return best


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


def test_choosing_depends_on_the_position_only(tables):
    states = packed([*midgames(), *late_positions(10, 15), *late_positions(5, 3)])
    keys = np.zeros(len(states), np.uint64)
    player = SearchChooser(tables, {"depth": 4, "endgame": 10})
    together = player(states, keys)
    for state, action in zip(states, together.tolist(), strict=True):
        assert action in OTHELLO.rules.state(state.tobytes()).legal().tolist()
    alone = [int(player(states[i : i + 1], keys[:1])[0]) for i in reversed(range(len(states)))]
    assert together.tolist() == alone[::-1]

    answers = []
    lanes = [threading.Thread(target=lambda: answers.append(player(states, keys))) for _ in "ab"]
    for lane in lanes:
        lane.start()
    for lane in lanes:
        lane.join()
    assert all(np.array_equal(answer, together) for answer in answers) and len(answers) == 2
    with pytest.raises(GameError, match="Position 0 is no decision"):
        player(packed([_core.othello_state(2**64 - 1, 0, 0)]), keys[:1])


def test_interrupting_a_player(tables):
    player = SearchChooser(tables, {"depth": 30})
    timer = threading.Timer(0.2, player.interrupt)
    timer.start()
    with pytest.raises(GameError, match="stopped before"):
        player(packed(midgames()), np.zeros(10, np.uint64))


def test_a_searching_player_beats_random(tables):
    """Random weights know nothing, but whoever searches sees the end of the game first."""
    deep = SearchChooser(tables, {"depth": 2, "endgame": 12})
    score = 0
    for number in range(6):
        state = OTHELLO.rules.initial()
        random = np.random.default_rng(number)
        while state.kind == "decision":
            seat = Discs.of(state).seat
            if seat == number % 2:
                state.apply(int(deep(packed([state]), np.zeros(1, np.uint64))[0]))
            else:
                state.apply(int(random.choice(state.legal())))
        score += plain(None, state, 0) * (1 if Discs.of(state).seat == number % 2 else -1)
    assert score > 0


@pytest.mark.parametrize(
    ("options", "limits"),
    [
        ({}, None),
        ({"depth": "1", "threads": "2"}, None),
        ({"depth": "6"}, {"depth": 6, "endgame": 0, "threads": 1, "seconds": 0.0}),
        ({"ms": "15"}, {"depth": 60, "endgame": 0, "threads": 1, "seconds": 0.015}),
        (
            {"depth": "6", "ms": "15", "endgame": "14", "threads": "2"},
            {"depth": 6, "endgame": 14, "threads": 2, "seconds": 0.015},
        ),
    ],
)
def test_options_of_a_player(options, limits):
    assert search_limits(options) == limits


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        ({"deep": "3"}, "has no option 'deep'"),
        ({"depth": "0"}, "depth=0 must be a number from 1 to 60"),
        ({"depth": "3.5"}, "depth=3.5 must be"),
        ({"ms": "nan"}, "ms=nan must be"),
        ({"endgame": "x"}, "endgame=x must be"),
        ({"threads": "99"}, "threads=99 must be"),
    ],
)
def test_bad_options_of_a_player(options, sentence):
    with pytest.raises(PlayerError, match=sentence):
        search_limits(options)
