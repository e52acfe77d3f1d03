"""Ludus against Ludus: a player behind a pipe plays the games that it plays by itself."""

import os
import shlex
import sys
from pathlib import Path

import numpy as np
import pytest
from tests.players.engines.judge import game_with_judge

from ludus.arena import Match, MatchSettings, SeedSet
from ludus.games import get_game
from ludus.players import ExternalPlayer, RandomPlayer, parse_player

OTHELLO = get_game("othello")
JUDGE = str(Path(__file__).with_name("judge.py"))


def games(player, lanes=1, openings=None):
    """Actions of 8 games against random, in pairs, by game."""
    match = Match(
        OTHELLO.rules,
        player,
        RandomPlayer(),
        SeedSet.generate(5, 4),
        MatchSettings(lanes=lanes, record=True, openings=openings),
    )
    match.run()
    found = {}
    for columns in match.take_records():
        ends = np.cumsum(columns["plies"])
        for game, end, plies in zip(columns["game_id"], ends, columns["plies"], strict=True):
            found[int(game)] = columns["action"][end - plies : end].tolist()
    assert sorted(found) == list(range(8))
    return found


@pytest.mark.parametrize("protocol", ["gtp", "nboard"])
@pytest.mark.parametrize("lanes", [1, 2])
def test_the_same_games_through_a_pipe(protocol, lanes):
    """Games at the same time, with passes, from the start and from openings, from both seats."""
    openings = None if lanes == 1 else OTHELLO.match_openings()
    direct = games(ExternalPlayer(game_with_judge()[1], "judge"), openings=openings)
    assert any(64 in actions for actions in direct.values())
    piped = parse_player(f"{protocol}:{shlex.join([sys.executable, JUDGE, protocol])}", OTHELLO)
    assert games(piped, lanes, openings) == direct
    piped.choose.close()


def test_a_search_through_gtp(ludus):
    """The command itself, with a player who needs to know how the game has begun."""
    direct = games(parse_player("uniform:sims=4", OTHELLO))
    piped = parse_player(ludus("uniform:sims=4", "gtp"), OTHELLO)
    assert games(piped) == direct
    piped.choose.close()


@pytest.mark.peer
@pytest.mark.parametrize(
    ("variable", "protocol"),
    [
        ("LUDUS_PEER_EDAX", "gtp"),
        ("LUDUS_PEER_EDAX_NBOARD", "nboard"),
        ("LUDUS_PEER_NTEST", "nboard"),
    ],
)
def test_a_real_engine_plays(variable, protocol):
    """Set the variable to a command with options: `./edax -gtp -l 4,folder=/opt/edax`."""
    command = os.environ.get(variable)
    if not command:
        pytest.skip(f"{variable} names no engine")
    match = Match(
        OTHELLO.rules,
        parse_player(f"{protocol}:{command}", OTHELLO),
        RandomPlayer(),
        SeedSet.generate(1, 3),
        MatchSettings(openings=OTHELLO.match_openings()),
    )
    assert match.run().as_json()["win_rate"] > 0.5
