"""Players of Othello that search: what they choose, what they say, their options."""

from __future__ import annotations

import threading
import time

import numpy as np
import pytest
from tests.games.endgames import OTHELLO, follow, late_positions, midgames, packed, plain

from ludus import _core
from ludus.errors import GameError, PlayerError
from ludus.games.analysis import Analyst, Limits
from ludus.games.othello_chooser import OnePlyChooser, SearchChooser, search_limits
from ludus.games.othello_position import Discs


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


def row(state):
    return packed([state])[0]


def alone(player, state):
    return int(player(packed([state]), np.zeros(1, np.uint64))[0])


def test_one_line_is_what_the_player_would_do(tables):
    player = SearchChooser(tables, {"depth": 5, "endgame": 10})
    assert isinstance(player, Analyst) and isinstance(OnePlyChooser(tables), Analyst)
    for state in [*midgames()[:3], *late_positions(3, 9)]:
        (line,) = player.analyse(row(state), Limits())
        assert line.actions[0] == alone(player, state)
        assert line.exact == (len(line.actions) >= 9) and line.nodes > 0
        assert line.exact or line.depth == 5
        (again,) = player.analyse(row(state), Limits(), lines=1)
        assert again == line
    state = midgames()[0]
    (line,) = OnePlyChooser(tables).analyse(row(state), Limits(depth=12))
    reply = state.copy()
    reply.apply(line.actions[0])
    assert (line.depth, line.value) == (1, -plain(tables, reply, 0) / 256)


def test_several_lines_deeper_and_deeper(tables):
    player = SearchChooser(tables, {"depth": 4, "endgame": 0, "certainty": 7})
    state = midgames()[1]
    heard = []
    lines = player.analyse(row(state), Limits(), lines=3, tell=heard.append)
    values = [line.value for line in lines]
    assert len(lines) == 3 and values == sorted(values, reverse=True)
    assert [found[0].depth for found in heard] == [1, 3]
    assert {line.depth for line in lines} == {4}
    for line in lines:
        reply = state.copy()
        reply.apply(line.actions[0])
        assert line.value == -plain(tables, reply, 3) / 256  # nobody passes here
    assert len(player.analyse(row(state), Limits(depth=2), lines=99)) == len(state.legal())
    late = late_positions(1, 8)[0]
    solver = SearchChooser(tables, {"depth": 2, "endgame": 8})
    exact = solver.analyse(row(late), Limits(), lines=2)
    assert all(line.exact for line in exact)
    truth = _core.OthelloEndgame(megabytes=1).action_values(packed([late]))[0]
    assert [line.value for line in exact] == sorted(truth[~np.isnan(truth)], reverse=True)[:2]


def test_limits_of_an_analysis(tables):
    player = SearchChooser(tables, {"depth": 60, "endgame": 0, "seconds": 100.0})
    state = midgames()[0]
    for lines in (1, 4):
        found = player.analyse(row(state), Limits(depth=3), lines)
        assert found[0].depth == 3 and len(found) == lines
        begun = time.monotonic()
        found = player.analyse(row(state), Limits(seconds=0.05), lines)
        assert 0.04 <= time.monotonic() - begun < 5.0 and found[0].depth >= 1
        stop = threading.Event()
        timer = threading.Timer(0.1, stop.set)
        timer.start()
        found = player.analyse(row(state), Limits(stop=stop), lines)
        assert len(found) == lines and found[0].depth >= 1
        assert player.analyse(row(state), Limits(stop=stop), lines)[0].value is not None


def test_an_analysis_where_there_is_no_choice(tables):
    player = SearchChooser(tables, {"depth": 4, "endgame": 0})
    state = OTHELLO.rules.initial()
    random = np.random.default_rng(1)
    while state.legal().tolist() != [64]:
        state.apply(int(random.choice(state.legal())))
        if state.kind != "decision":
            state = OTHELLO.rules.initial()
    (line,) = player.analyse(row(state), Limits(), lines=3)
    assert line.actions[0] == 64 and follow(state, ["pass"]).kind in ("decision", "terminal")
