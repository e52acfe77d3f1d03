"""Ludus against Ludus: a player behind a pipe plays the games that it plays by itself."""

import os
import re
import shlex
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from tests.players.engines.judge import game_with_judge

from ludus import _core
from ludus.arena import Match, MatchSettings, SeedSet
from ludus.games import get_game
from ludus.players import ExternalPlayer, RandomPlayer, parse_player
from ludus.players.engines.gtp_server import GtpServer
from ludus.players.engines.nboard_server import NBoardServer
from ludus.players.engines.session import Session
from ludus.runs.tensors import encode

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


@pytest.fixture
def searching(tmp_path):
    """A player that searches over tables of three patterns, with further options."""
    text = "edge: a1 b1 c1 d1 e1 f1 g1 h1\ncorner: a1 b1 c1 a2 b2 a3\ndiagonal: a1 b2 c3 d4"
    patterns = _core.PatternSet.parse(text)
    named = [line.split(": ") for line in text.splitlines()]
    meta = {"patterns": [{"name": name, "squares": squares.split()} for name, squares in named]}
    noise = np.random.default_rng(4).integers(-2000, 2000, (patterns.stages, patterns.slots))
    file = tmp_path / "few.safetensors"
    file.write_bytes(b"".join(encode({"weights": (32768 + noise).astype(np.uint16)}, meta)))
    return lambda options: f"td:run={file},{options}"


@pytest.mark.parametrize(
    ("protocol", "inside", "told"),
    [
        pytest.param("gtp", "depth=3,endgame=8", "", marks=pytest.mark.slow),
        ("nboard", "depth=60,endgame=8", ",depth=3"),  # as the interface says
    ],
)
def test_a_search_over_tables_plays_the_same_through_a_pipe(searching, protocol, inside, told):
    direct = games(parse_player(searching("depth=3,endgame=8"), OTHELLO))
    command = f'{sys.executable} -m ludus.cli engine "{searching(inside)}" --protocol {protocol}'
    piped = parse_player(f"{protocol}:{command}{told}", OTHELLO)
    assert games(piped) == direct
    piped.choose.close()


def test_what_a_search_over_tables_tells_an_interface(searching):
    session = Session(OTHELLO, parse_player(searching("depth=60,endgame=8"), OTHELLO), 1)
    server = NBoardServer(session, OTHELLO.protocols["nboard"])
    said = []
    for line in ("set depth 4", "hint 3", "hint 1"):
        server.answer(line, said.append)
    several, one = said[1 : said.index("status") + 1], said[said.index("status") + 1 :]
    word = r"[A-H][1-8](?:-[A-H][1-8])"
    for depth, count in ((1, 3), (3, 3), (4, 3)):
        pattern = re.compile(rf"search {word}{{{depth - 1}}} -?\d+\.\d\d 0 {depth}")
        assert sum(pattern.fullmatch(line) is not None for line in several) == count
    assert sum(line.startswith("nodestats ") for line in several) == 1
    assert re.fullmatch(rf"search {word}{{3}} -?\d+\.\d\d 0 4", one[-2])
    gtp = GtpServer(session, OTHELLO.protocols["gtp"])
    begun = time.monotonic()
    for line in ("time_settings 1 0 0", "genmove b"):
        assert gtp.answer(line, said.append)
    assert time.monotonic() - begun < 5.0 and re.fullmatch(r"= [A-H][1-8]\s*", said[-1])
