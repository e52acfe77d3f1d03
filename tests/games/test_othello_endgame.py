"""The exact oracle of Othello endgames: against the twin's minimax, as player and as judge."""

from __future__ import annotations

import numpy as np
import pytest
from tests.games.endgames import OTHELLO, late_positions, midgames, packed, published, sides
from tests.twins.othello_twin import OthelloTwin

from ludus import _core
from ludus.arena.match import Match
from ludus.arena.playing import MatchSettings
from ludus.arena.seeds import SeedSet
from ludus.errors import GameError, PlayerError
from ludus.games.othello_endgame import (
    JUDGED,
    action_values,
    best_actions,
    empty_squares,
    endgame_player,
    judge,
)
from ludus.games.othello_position import Discs
from ludus.players import parse_player


def twin_of(state):
    text = OTHELLO.position_text(state)
    discs = {(i % 8, i // 8): text[i] for i in range(64) if text[i] != "-"}
    return OthelloTwin(discs, text[-1])


def twin_value(twin):
    """Discs for whoever is to move, by minimax without anything clever."""
    actions = twin.legal()
    if not actions:
        return twin.difference() * (1 if twin.mover == "X" else -1)
    values = []
    for action in actions:
        after = OthelloTwin(dict(twin.discs), twin.mover)
        after.apply(action)
        values.append(-twin_value(after))
    return max(values)


@pytest.mark.parametrize("empty", [1, 2, 3, 4, 5])
def test_values_are_those_of_the_twin(empty):
    solver = _core.OthelloEndgame(megabytes=1)
    for state in late_positions(6, empty):
        (values,) = solver.action_values(packed([state]))
        legal = state.legal().tolist()
        assert np.flatnonzero(~np.isnan(values)).tolist() == legal
        for action in legal:
            twin = twin_of(state)
            twin.apply(action)
            assert values[action] == -twin_value(twin)
        truth = np.nanmax(values)
        assert solver.solve(*sides(state)) == truth
        assert np.sign(solver.solve(*sides(state), alpha=-1, beta=1)) == np.sign(truth)
        assert values[solver.choose(packed([state]))[0]] == truth


def test_a_published_endgame():
    state, score, _ = published()[40]
    assert _core.OthelloEndgame(megabytes=64).solve(*sides(state)) == score


def test_what_cannot_be_solved():
    solver = _core.OthelloEndgame(megabytes=1)
    with pytest.raises(GameError, match="both sides"):
        solver.solve(3, 1)
    with pytest.raises(GameError, match="window"):
        solver.solve(1, 2, alpha=3, beta=3)
    with pytest.raises(GameError, match="has 32 bytes, not 16"):
        solver.choose(np.zeros((1, 16), np.uint8))
    with pytest.raises(GameError, match="Position 0 is no decision"):
        solver.choose(packed([_core.othello_state(2**64 - 1, 0, 0)]))


def test_judging_moves():
    states = packed([*late_positions(20, 8), *midgames()[:2], *late_positions(2, JUDGED)])
    assert empty_squares(states).tolist() == [8] * 20 + [36] * 2 + [JUDGED] * 2
    values = action_values(states)
    assert np.isnan(values[20:22]).all() and not np.isnan(values[22:]).all(axis=1).any()
    offsets, best = best_actions(states)
    assert offsets[20] == offsets[22]  # none where there are too many empty squares
    ignored = np.isin(np.arange(24), [20, 21])
    first = np.array([OTHELLO.rules.state(row.tobytes()).legal()[0] for row in states], np.int32)
    last = np.array([OTHELLO.rules.state(row.tobytes()).legal()[-1] for row in states], np.int32)
    for actions in (first, last):
        judged = judge(states, actions)
        assert np.array_equal(judged["ignored"], ignored)
        for i in np.flatnonzero(~ignored):
            expected = np.nanmax(values[i]) - values[i, actions[i]]
            assert judged["regret"][i] == expected >= 0
            among = actions[i] in best[offsets[i] : offsets[i + 1]]
            assert judged["matched"][i] == among == (expected == 0)
        assert not judged["matched"][ignored].any() and not judged["regret"][ignored].any()
    assert judge(states[20:22], first[20:22])["ignored"].all()
    empty = judge(states[:0], first[:0])
    assert len(empty["regret"]) == 0


def test_the_player_is_perfect_from_where_it_says():
    player = endgame_player({"from": "8"})
    states = packed([*late_positions(12, 8), *midgames()[:3]])
    actions = player(states, np.zeros(len(states), np.uint64))
    judged = judge(states, actions)
    assert judged["matched"][:12].all() and judged["ignored"][12:].all()
    by_rule = _core.othello_choose(states[12:], np.zeros(3, np.uint64), "weights")
    assert actions[12:].tolist() == by_rule.tolist()


def test_it_never_gives_a_disc_away_in_games():
    """Against the same player without its endgame, from the same openings."""
    settings = MatchSettings(openings=OTHELLO.match_openings())
    match = Match(
        OTHELLO.rules,
        parse_player("endgame:from=10", OTHELLO),
        parse_player("weights", OTHELLO),
        SeedSet.generate(1, 10),
        settings,
    )
    match.run()
    assert match.pair_scores().mean() > 0.5


@pytest.mark.parametrize(
    ("spec", "sentence"),
    [
        ("endgame:form=3", "has no option 'form'"),
        ("endgame:from=25", "from=25 must be a whole number from 0 to 24"),
        ("endgame:from=-1", "from=-1 must be"),
        ("endgame:before=chance", "before=chance must be one of corners, weights"),
    ],
)
def test_bad_options(spec, sentence):
    with pytest.raises(PlayerError, match=sentence):
        parse_player(spec, OTHELLO)


def test_the_position_of_a_decision_is_what_counts():
    state = late_positions(1, 6)[0]
    assert int(empty_squares(packed([state]))[0]) == 64 - sum(Discs.of(state).counts)
