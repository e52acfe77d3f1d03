"""The game of an engine and its player: the same choices as in a match, numbers of games."""

import numpy as np
import pytest
from tests.players.engines.judge import game_with_judge

from ludus import _core
from ludus.errors import GameError
from ludus.games import get_game
from ludus.games.analysis import Analyst, Limits
from ludus.players import parse_player
from ludus.players.engines.session import Session, decision_key
from ludus.players.single import SingleGame

OTHELLO = get_game("othello")


def choices(session, plies):
    for _ in range(plies):
        session.play(session.think(Limits())[0].actions[0])
    return list(session.actions)


def test_keys_are_those_of_the_slots():
    seed, games = 2**63 - 5, 3
    slots = _core.Slots(
        OTHELLO.rules, slots=64, group_size=64, seed=seed, players=[{"kind": "external"}]
    )
    slots.schedule(np.arange(games), np.zeros(games, np.uint64), np.zeros((games, 2), np.int8))
    for ply in range(5):
        where, states, keys = slots.decisions(0, 0)
        assert keys.tolist() == [decision_key(seed, game, ply) for game in range(games)]
        first = [OTHELLO.rules.state(s.tobytes()).legal()[0] for s in states]
        slots.decide(0, 0, where, np.array(first, np.int32))


@pytest.mark.parametrize("spec", ["random", "weights", "corners", "uniform:sims=6"])
def test_a_player_chooses_as_in_any_game(spec):
    player = parse_player(spec, OTHELLO)
    game = SingleGame(OTHELLO.rules, [player], 77)
    assert not game.advance()
    expected = game.columns()["action"].tolist()
    assert choices(Session(OTHELLO, player, 77), len(expected)) == expected


def test_another_game_has_other_random_numbers():
    session = Session(OTHELLO, parse_player("random", OTHELLO), 1)
    first = choices(session, 20)
    session.begin(None, first)  # as an interface says it again
    session.begin(None, first[:6])  # it takes back
    assert session.number == 0
    assert choices(session, 14) == first
    session.begin()
    assert session.number == 1
    second = choices(session, 20)
    assert second != first
    session.begin(None, first)
    assert session.number == 2
    session.begin(None, second)  # nothing was chosen meanwhile
    assert session.number == 2
    session.take_back(3)
    assert session.actions == second[:-3]


def test_what_is_illegal_changes_nothing():
    session = Session(OTHELLO, parse_player("random", OTHELLO), 1)
    session.play(19)
    before = session.state.packed()
    for wrong in ([0], [19, 19], [19, 18, 64]):
        with pytest.raises(GameError):
            session.begin(None, wrong)
    with pytest.raises(GameError):
        session.play(19)
    assert session.state.packed() == before
    assert session.actions == [19]


def test_searches_play_from_the_start_only():
    session = Session(OTHELLO, parse_player("uniform:sims=4", OTHELLO), 1)
    start = OTHELLO.rules.initial()
    start.apply(19)
    session.begin(start)
    with pytest.raises(GameError, match="uniform:sims=4 plays only games from the start"):
        session.think(Limits())
    session.begin()
    assert session.think(Limits())[0].actions[0] in (19, 26, 37, 44)


def test_an_analyst_is_asked_for_lines():
    entry, judge = game_with_judge()
    assert isinstance(judge, Analyst)
    assert not isinstance(parse_player("weights", OTHELLO).choose, Analyst)
    session = Session(entry, parse_player("judge", entry), 1)
    told = []
    lines = session.think(Limits(depth=3, seconds=1.5), 2, told.append)
    assert [line.actions[0] for line in lines] == [19, 26]
    assert judge.limits == [Limits(depth=3, seconds=1.5)]
    assert len(told) == 1
