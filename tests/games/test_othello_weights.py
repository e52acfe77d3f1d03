"""The positional weights with a search: the same yardstick, further ahead."""

import numpy as np
import pytest

from ludus import _core
from ludus.errors import PlayerError
from ludus.games import get_game
from ludus.games.othello_position import Discs
from ludus.games.othello_weights import positional_tables, square_weights
from ludus.players import parse_player

GAME = get_game("othello")


def positions(count, seed=5):
    """States of random games, none of them over."""
    random, found = np.random.default_rng(seed), []
    while len(found) < count:
        state = GAME.rules.initial()
        for _ in range(int(random.integers(0, 50))):
            if state.kind == "terminal":
                break
            state.apply(int(random.choice(state.legal())))
        if state.kind != "terminal":
            found.append(state)
    return found


def sides(state):
    discs = Discs.of(state)
    return (discs.black, discs.white) if discs.seat == 0 else (discs.white, discs.black)


def test_the_tables_are_the_weights():
    words = np.array([sides(state) for state in positions(60)], np.uint64)
    wanted = [_core.othello_positional_score(int(own), int(opp)) for own, opp in words]
    assert (positional_tables().evaluate_words(words) == 16 * np.array(wanted)).all()
    assert sorted(set(square_weights().tolist())) == [-25, 1, 2, 5, 10, 100]


def best(state, depth):
    """Negamax without any pruning: score for the mover in hundredths; finished games by discs."""
    if state.kind == "terminal":
        return None
    own, opp = sides(state)
    if depth == 0:
        return _core.othello_positional_score(own, opp)
    scores = []
    for action in state.legal():
        after = state.copy()
        after.apply(action)
        left = depth if action == 64 else depth - 1
        score = best(after, left)
        if score is None:
            return None
        scores.append(-score)
    return max(scores)


def test_it_finds_what_a_plain_search_finds():
    player = parse_player("weights:depth=3", GAME)
    looked_at = 0
    for state in positions(40, seed=6):
        score = best(state, 3)
        if score is None or 64 in state.legal():
            continue
        packed = np.frombuffer(state.packed(), np.uint8)[None, :]
        action = int(player.choose(packed, np.zeros(1, np.uint64))[0])
        after = state.copy()
        after.apply(action)
        assert -best(after, 2) == score
        looked_at += 1
    assert looked_at > 20


def test_options_are_checked_and_one_ply_is_the_old_player():
    with pytest.raises(PlayerError, match="player weights has no option 'sims'"):
        parse_player("weights:sims=4", GAME)
    with pytest.raises(PlayerError, match="depth=99 must be a number from 1 to 60"):
        parse_player("weights:depth=99", GAME)
    packed = np.stack([np.frombuffer(state.packed(), np.uint8) for state in positions(20, seed=7)])
    keys = np.arange(20, dtype=np.uint64)
    plain, one = (parse_player(spec, GAME) for spec in ("weights", "weights:depth=1"))
    assert (plain.choose(packed, keys) == one.choose(packed, keys)).all()
