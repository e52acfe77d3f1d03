"""OpenSpiel's games behind the protocol."""

from __future__ import annotations

import numpy as np
import pytest
from tests.games.own_play import play, searcher
from tests.games.small_games import TicTacToe

from ludus import _core
from ludus.errors import GameError
from ludus.games import get_game
from ludus.games.own import make_entry
from ludus.players import RandomPlayer
from ludus.testing import check_game

pyspiel = pytest.importorskip("pyspiel")


@pytest.mark.parametrize("name", ["tic_tac_toe", "connect_four", "pig(horizon=60,winscore=20)"])
def test_perfect_information_games_conform(name):
    check_game(get_game(f"openspiel:{name}").rules, games=4)


def test_their_rules_are_the_same_as_ours():
    theirs = get_game("openspiel:tic_tac_toe")
    ours = make_entry(TicTacToe(), "tests")
    for depth in (3, 6):
        counts = [_core.perft(entry.rules.initial(), depth) for entry in (theirs, ours)]
        assert counts[0] == counts[1]
    state = theirs.rules.initial()
    assert theirs.action_text(state, 4) == "x(1,1)"
    assert theirs.parse_action(state, "x(1,1)") == 4
    assert theirs.render(state) == "...\n...\n..."


def test_facts_and_utilities():
    entry = get_game("openspiel:breakthrough(rows=6,columns=6)")
    assert entry.name == "openspiel_breakthrough_rows_6_columns_6"
    assert entry.rules.observation_shape == (3, 6, 6)
    assert entry.source == "openspiel:breakthrough(rows=6,columns=6)"
    assert "OpenSpiel" in entry.title
    assert get_game("openspiel:chess").rules.max_legal == 1024
    dice = get_game("openspiel:backgammon")
    assert (dice.rules.max_outcomes, dice.rules.has_chance) == (36, True)
    state = get_game("openspiel:kuhn_poker").rules.initial()
    while state.kind != "terminal":
        state.apply_outcome(2) if state.kind == "chance" and len(state.outcomes()[0]) == 3 else None
        break
    assert get_game("openspiel:kuhn_poker").own._scale == 2.0


def test_a_search_beats_random_moves():
    rules = get_game("openspiel:connect_four").rules
    records, board = play(rules, [searcher(100, temperature=[0.0]), RandomPlayer()], 24, slots=128)
    assert board.counters()["failed"] == 0
    mine = records["returns"][np.arange(24), np.arange(24) % 2]
    assert mine.mean() > 0.7


def test_dice_games_play():
    rules = get_game("openspiel:pig(horizon=200,winscore=20)").rules
    records, board = play(rules, [searcher(30)], 12, slots=64)
    assert (board.counters()["failed"], len(records["game_id"])) == (0, 12)
    assert (records["outcome"] >= 0).any()


@pytest.mark.parametrize(
    ("name", "sentence"),
    [
        ("matrix_pd", "has simultaneous moves"),
        ("no_such_game", "OpenSpiel has no game 'no_such_game'"),
        ("breakthrou", "did you mean breakthrough"),
        ("breakthrough(rows=two)", "OpenSpiel refuses 'breakthrough"),
        ("", "OpenSpiel has no game ''"),
    ],
)
def test_what_cannot_be_played_is_one_sentence(name, sentence):
    with pytest.raises(GameError, match=sentence) as caught:
        get_game(f"openspiel:{name}")
    assert "\n" not in str(caught.value)


def test_hidden_cards_are_for_playing_only():
    rules = get_game("openspiel:kuhn_poker").rules
    assert rules.has_hidden
    with pytest.raises(GameError, match="hidden information"):
        play(rules, [searcher(8)], 2, slots=64)
