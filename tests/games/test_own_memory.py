"""Own games in Python: what is asked and what is kept."""

from __future__ import annotations

import gc
import random
import threading
from collections import Counter

import numpy as np
import pytest
from tests.games.own_play import play, rules_of, searcher
from tests.games.small_games import Endless, TicTacToe

from ludus import _core
from ludus.games.own import make_entry


class Counting(TicTacToe):
    """Three in a row that counts what it is asked, and which of its states live."""

    def __init__(self):
        self.asked = Counter()
        self.living = 0

    def apply(self, state, action):
        self.asked["apply"] += 1
        return super().apply(state, action)

    def turn(self, state):
        self.asked["turn"] += 1
        return super().turn(state)

    def legal(self, state):
        self.asked["legal"] += 1
        return super().legal(state)


def test_python_is_asked_once_for_a_position():
    game = Counting()
    rules = make_entry(game, "tests").rules
    _, board = play(rules, [searcher(40)], 64)
    counters = board.counters()
    # The start is not applied; the default scores() asks for the turn once more at each end.
    assert counters["positions_made"] == game.asked["apply"] + 1 == game.asked["turn"] - 64
    assert game.asked["legal"] <= game.asked["turn"]
    assert counters["simulations"] > 2 * game.asked["apply"]


@pytest.fixture(scope="module")
def many_walks():
    """Games whose pool was swept twice at least: records, counters, most positions at a time."""
    most = []
    records, board = play(
        rules_of(Endless),
        [searcher(64, temperature=[1.0])],
        230,
        slots=64,
        turns=lambda slots: most.append(slots.counters()["positions"]),
    )
    return records, board, max(most)


def test_pools_are_swept(many_walks):
    _, board, most = many_walks
    assert board.counters()["positions_made"] > 205_000
    assert most < 130_000
    assert len(Endless.living) < 140_000


def test_sweeps_change_no_game(many_walks):
    """The same games in slots that swept in between and in slots that never had to."""
    many, _, _ = many_walks
    few, board = play(rules_of(Endless), [searcher(64, temperature=[1.0])], 30, slots=64)
    assert board.counters()["positions_made"] < 100_000
    plies = int(few["plies"].sum())
    for column in ("action", "root_value", "q_variance"):
        assert np.array_equal(few[column], many[column][:plies])


def test_a_pool_goes_with_its_slots():
    before = len(Endless.living)
    records, board = play(rules_of(Endless), [searcher(16)], 20, slots=64)
    assert len(records["game_id"]) == 20
    assert len(Endless.living) > before + 1000
    del board
    gc.collect()
    assert len(Endless.living) < before + 100


def test_subtrees_that_are_kept_survive_sweeps():
    players = [searcher(64, reuse_tree=True)]
    many, board = play(rules_of(Endless), players, 70, slots=64)
    counters = board.counters()
    assert counters["positions_made"] > 110_000
    assert (counters["failed"], len(many["game_id"])) == (0, 70)
    few, _ = play(rules_of(Endless), players, 12, slots=64)
    assert np.array_equal(few["action"], many["action"][: len(few["action"])])


def test_states_keep_only_what_somebody_holds():
    rules = rules_of(Endless)
    kept = rules.initial()
    kept.apply(1)
    text = kept.packed()
    before = len(Endless.living)
    for number in range(4000):
        state = rules.initial()
        chooser = random.Random(number)
        while state.kind != "terminal":
            state.apply(chooser.randrange(2))
    assert len(Endless.living) - before < 110_000  # of some 150,000
    assert kept.own.mark == 3
    assert rules.state(text).own.mark == 3


def test_perft_and_playouts_do_not_keep_the_tree():
    rules = rules_of(Endless)
    before = len(Endless.living)
    assert _core.perft(rules.initial(), 16) == 2**16
    counts = _core.random_playouts(rules, 3000, 1)
    assert counts["decisions"] == 120_000
    gc.collect()
    assert len(Endless.living) - before < 100


# ---- threads -------------------------------------------------------------------------------------


def test_other_threads_live_while_a_game_is_asked():
    """Rules in Python hold the interpreter, but Python shares it among threads all the same."""
    rules = rules_of(Endless)
    stop = threading.Event()
    ticks = []

    def tick():
        while not stop.wait(0.002):
            ticks.append(1)

    thread = threading.Thread(target=tick)
    thread.start()
    try:
        records, _ = play(rules, [searcher(64)], 128, lanes=2, slots=128)
    finally:
        stop.set()
        thread.join()
    assert len(records["game_id"]) == 128
    assert len(ticks) > 20
