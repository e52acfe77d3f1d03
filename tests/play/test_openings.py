"""Lines that games begin with: both games of a pair have the same, and nobody is asked for them."""

import numpy as np
import pytest

from ludus.arena import Match, MatchSettings, SeedSet
from ludus.errors import GameError, RunError
from ludus.games import get_game
from ludus.games.othello_openings import openings
from ludus.players import ExternalPlayer, RandomPlayer, parse_player

OTHELLO = get_game("othello")


def match(lines, *, pairs=6, players=("corners", "weights"), groups=2):
    one, two = (parse_player(spec, OTHELLO) for spec in players)
    how = MatchSettings(groups=groups, record=True, openings=lines)
    return Match(OTHELLO.rules, one, two, SeedSet.generate(7, pairs, purpose="test"), how)


def games(played):
    """Actions by game id."""
    found = {}
    for columns in played.take_records():
        ends = np.cumsum(columns["plies"])
        for game, end, plies in zip(columns["game_id"], ends, columns["plies"], strict=True):
            found[int(game)] = columns["action"][end - plies : end].tolist()
    return found


def test_the_stored_list_is_legal_and_has_no_line_twice():
    lines = openings()
    assert lines.shape == (1000, 8) and lines.dtype == np.uint16
    assert len({tuple(line) for line in lines.tolist()}) == 1000
    for line in lines[:50].tolist():
        state = OTHELLO.rules.initial()
        for action in line:
            assert action in state.legal()
            state.apply(action)


def test_pairs_begin_with_their_lines():
    lines = openings()[:4]
    played = match(lines)
    with played:
        while played.advance(1.0):
            pass
        found = games(played)
    assert len(found) == 12
    for game, actions in found.items():
        assert actions[:8] == lines[game // 2 % 4].tolist()
    assert played.result().as_json()["distinct_games"] > 6


def test_without_lines_equal_players_play_few_games():
    def first(states, keys):
        return np.array([OTHELLO.rules.state(s.tobytes()).legal()[0] for s in states], np.int32)

    player = ExternalPlayer(first, "first")
    seeds = SeedSet.generate(7, 6, purpose="test")
    plain = Match(OTHELLO.rules, player, player, seeds).run()
    lined = Match(OTHELLO.rules, player, player, seeds, MatchSettings(openings=openings())).run()
    assert plain.as_json()["distinct_games"] == 1
    assert lined.as_json()["distinct_games"] == 6


def test_a_match_goes_on_in_the_middle_of_its_lines():
    lines = openings()[:3]
    straight = match(lines, players=("random", "weights"))
    with straight:
        straight.run()
    cut = match(lines, players=("random", "weights"))
    arrays, meta = cut.state()
    cut.close()
    again = match(lines, players=("random", "weights"))
    again.restore(arrays, meta)
    with again:
        while again.advance(0.001):
            pass
    assert np.array_equal(again.pair_scores(), straight.pair_scores())
    other = match(openings()[3:6], players=("random", "weights"))
    with pytest.raises(RunError, match="openings"), other:
        other.restore(arrays, meta)


def test_an_illegal_line_is_refused_by_number_and_ply():
    lines = np.array(openings()[:2])
    lines[1, 3] = 0
    with pytest.raises(GameError, match="Opening 1 has action 0 at ply 3"):
        match(lines)


def test_random_players_differ_after_the_line():
    played = Match(
        OTHELLO.rules,
        RandomPlayer(),
        RandomPlayer(),
        SeedSet.generate(3, 4, purpose="test"),
        MatchSettings(record=True, openings=openings()[:1]),
    )
    with played:
        while played.advance(1.0):
            pass
        found = games(played)
    assert len({tuple(actions[:8]) for actions in found.values()}) == 1
    assert len({tuple(actions) for actions in found.values()}) == 8
