"""Othello: rules against published counts and OpenSpiel, endings, notation, symmetries, players."""

from __future__ import annotations

import numpy as np
import pytest

from ludus import _core
from ludus.errors import GameError, PlayerError
from ludus.games import get_game
from ludus.players import parse_player
from ludus.testing import check_game

OTHELLO = get_game("othello")
PUBLISHED = [1, 4, 12, 56, 244, 1396, 8200, 55092, 390216, 3005288, 24571284]
START = "-" * 27 + "OX" + "-" * 6 + "XO" + "-" * 27 + " X"


def random_game(seed):
    """The actions of a random game and its final state."""
    chooser = np.random.default_rng(seed)
    state, actions = OTHELLO.rules.initial(), []
    while state.kind == "decision":
        actions.append(int(chooser.choice(state.legal())))
        state.apply(actions[-1])
    return actions, state


def test_it_conforms():
    assert check_game("othello", games=6) > 10_000


@pytest.mark.parametrize("depth", range(len(PUBLISHED)))
def test_counts_are_the_published_ones(depth):
    assert _core.perft(OTHELLO.rules.initial(), depth) == PUBLISHED[depth]


def test_a_position_is_one_line_and_comes_back():
    assert OTHELLO.position_text(OTHELLO.rules.initial()) == START
    for seed in range(5):
        actions, end = random_game(seed)
        state = OTHELLO.rules.initial()
        for action in [*actions, None]:
            again = OTHELLO.parse_position(OTHELLO.position_text(state))
            assert again.packed() == state.packed()
            if action is not None:
                assert OTHELLO.parse_action(state, OTHELLO.action_text(state, action)) == action
                state.apply(action)
        assert state.packed() == end.packed()


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("", "not 0"),
        (START[:-2], "65 characters in all, not 64"),
        ("#" + START[1:], "square a1 is '#'; it must be X, O or -"),
        (START[:-1] + "-", "the side to move is '-'"),
        ("-" * 64 + "X", "d4 is empty, but the four squares of the centre never are"),
    ],
)
def test_a_bad_position_is_one_sentence(text, sentence):
    with pytest.raises(GameError, match=sentence):
        OTHELLO.parse_position(text)


def test_impossible_bytes_are_refused():
    with pytest.raises(GameError, match="d4 holds both a black and a white disc"):
        _core.othello_state(1 << 27 | 1 << 28, 0x0000001818000000, 0)
    with pytest.raises(GameError, match="seat to move is 2"):
        _core.othello_state(0x0000001818000000, 0, 2)
    good = OTHELLO.rules.initial().packed()
    for byte in range(16, 32):
        bad = bytearray(good)
        bad[byte] ^= 4
        with pytest.raises(GameError, match="no Othello position"):
            OTHELLO.rules.state(bytes(bad))


def test_players_prefer_corners_and_weights():
    keys = np.arange(200, dtype=np.uint64)
    # Black may take a1, b2 (beside the empty corner) and others.
    state = OTHELLO.parse_position(
        "-OX----- -------- ---OX--- ---OX--- ---OX--- ---X---- -------- -------- X"
    )
    packed = np.repeat(np.frombuffer(state.packed(), np.uint8)[None], 200, 0)
    assert set(parse_player("corners", OTHELLO).choose(packed, keys).tolist()) == {0}
    assert set(parse_player("weights", OTHELLO).choose(packed, keys).tolist()) == {0}
    start = np.frombuffer(OTHELLO.rules.initial().packed(), np.uint8)[None]
    packed = np.repeat(start, 200, 0)
    for name in ("corners", "weights"):
        chosen = parse_player(name, OTHELLO).choose(packed, keys)
        assert set(chosen.tolist()) == {19, 26, 37, 44}  # all alike, so each by some key
        assert (chosen == parse_player(name, OTHELLO).choose(packed, keys)).all()
        with pytest.raises(PlayerError, match=f"player {name} has no option 'sims'"):
            parse_player(f"{name}:sims=2", OTHELLO)
