"""Ludus as an engine of NBoard: conversations in both versions, clocks, pings, any line at all."""

import re
import threading

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.players.engines.conftest import wait_for
from tests.players.engines.judge import game_with_judge

from ludus.games import get_game
from ludus.games.analysis import Limits
from ludus.players import parse_player
from ludus.players.engines.nboard_server import NBoardServer
from ludus.players.engines.session import Session

OTHELLO = get_game("othello")
BOARD = "BO[8 ---------------------------O*------*O--------------------------- *]"
GAME = f"(;GM[Othello]PC[NBoard]DT[2014-02-21 20:52:27 GMT]PB[a]PW[b]RE[?]TI[15:00]TY[8]{BOARD}"
WORDS_OF_AN_ENGINE = re.compile(
    r"set myname \S+|pong \d+|status( .*)?|learned|nodestats \d+ \d+\.\d\d|"
    r"=== ([A-H][1-8]|PA)/(-?\d+\.\d\d)?/\d+\.\d\d|analysis \d+ -?\d+\.\d\d|"
    r"search ([A-H][1-8]|PA)(-([A-H][1-8]|PA))* -?\d+\.\d\d 0 (\d+|100%)"
)


def server(player="judge", **options):
    entry, judge = game_with_judge(**options)
    engine = NBoardServer(Session(entry, parse_player(player, entry), 1), entry.protocols["nboard"])
    return engine, judge


def talk(text, engine=None):
    """What the engine says to some lines; times are put as 0."""
    engine = engine or server()[0]
    said = []
    for line in text.strip("\n").split("\n"):
        engine.heard(line)
        engine.answer(line, said.append)
    assert all(WORDS_OF_AN_ENGINE.fullmatch(line) for line in said), said
    return [
        re.sub(r"(?<=[ /])\d+\.\d\d$", "0", line) if "/" in line or "nodes" in line else line
        for line in said
    ]


def test_the_conversation_of_the_protocol():
    """The example of its description, with the answers of another player."""
    assert talk(
        f"""
        nboard 2
        set game {GAME}B[F5]W[F6]B[D3]W[C5]B[E6]W[F7]B[E7]W[F4];)
        set depth 6
        set contempt 0
        ping 1
        go
        move G4/1.00/0.5
        hint 2
        learn
        """
    ) == [
        "set myname Ludus-judge",
        "set myname Ludus-judge@6",
        "pong 1",
        "status Thinking",
        "search G4-D2 5.00 0 0",
        "nodestats 11 0",
        "=== G4/5.00/0",
        "status",
        "status Analyzing",
        "search D2-C2 0.00 0 0",
        "nodestats 8 0",
        "search F3-E2 2.00 0 1",
        "search D2-C2 0.00 0 1",
        "status",
        "learned",
    ]


def test_the_first_version():
    """Moves come without a word; the engine does not play its own."""
    said = talk(
        """
        nboard 1
        set depth 3
        set game (;GM[Othello];)
        go
        go
        F5
        D6/1.5/2.25
        go
        """
    )
    moves = [line for line in said if line.startswith("===")]
    assert moves == ["=== D3/3.00/0", "=== D3/3.00/0", "=== C3/3.00/0"]


def test_what_is_unknown_is_passed_over():
    assert talk("nboard 2\nset colour blue\nset contempt 5\n\nflip\nmoves\nset\nhello world") == [
        "set myname Ludus-judge"
    ]


@pytest.mark.parametrize(
    ("lines", "sentence"),
    [
        ("nboard two", "nboard wants a number, not 'two'"),
        ("nboard 0", "nboard wants a number in 1..2147483647, not 0"),
        ("set depth", "set depth wants a number, not ''"),
        ("set depth 99999999999", "set depth wants a number, not '99999999999'"),
        ("hint many", "hint wants a number, not 'many'"),
        ("ping", "ping wants a number, not ''"),
        ("move A1", "a1 is illegal: "),
        ("move 19", "'19' is no move"),
        ("move", "'' is no action"),
        ("set game", "there is no game here"),
        (f"set game {GAME}B[A1];)", "move 1 of game 1, 'a1', is illegal"),
        ("set game (;GM[Othello]BO[10 -- *];)", "game 1 is on a board of size '10'"),
        ("set game (;GM[Go];)", "game 1 is 'Go', not Othello"),
        (f"set game {GAME}W[F5];)", "move 1 of game 1, 'f5', is white's in the file"),
    ],
)
def test_mistakes_go_to_the_status_line(lines, sentence):
    (said,) = talk(lines)
    assert said.startswith(f"status {sentence}")


@pytest.mark.parametrize("wrong", ["move A1", "set game nonsense", f"set game {GAME}B[A1];)"])
def test_no_move_for_a_position_that_is_not_the_interfaces(wrong):
    """After a move or game that could not be followed, nothing is answered until the next game."""
    said = talk(f"{wrong}\ngo\nhint 1\nanalyze\nmove F5\nset game (;GM[Othello];)\ngo")
    assert [line for line in said if line.startswith(("===", "search"))] == [
        "search D3-C3 3.00 0 0",
        "=== D3/3.00/0",
    ]
    assert len([line for line in said if line.startswith("status ") and len(line) > 20]) == 5


def test_results_and_clocks_of_a_game_do_not_matter_for_its_board():
    """A result that the board does not bear out, no clock, an odd clock."""
    for properties in ("RE[+64.00]TI[5:00]", "RE[0]", "TI[soon]", "TB[1:00]", "TI[0]"):
        assert talk(f"set game (;GM[Othello]{properties}{BOARD}B[F5]W[PA];)")[0].startswith(
            "status"
        )
        said = talk(f"set game (;GM[Othello]{properties}{BOARD}B[F5//2];)\ngo")
        assert said[-2].startswith("=== ")


@pytest.mark.parametrize(
    ("game", "moves", "low", "high"),
    [
        (f"{GAME};)", "", 27.0, 27.8),  # 900 s for 30 moves and a reserve
        (f"{GAME}B[F5//600]W[D6/1.5/500];)", "", 9.2, 9.6),
        (f"{GAME}B[F5//600]W[D6//1];)", "move C3//200\nmove D3//1", 3.0, 3.4),
        (f"{GAME}B[F5//1000]W[D6//1];)", "", 0.01, 0.01),
        (f"(;GM[Othello]TB[1:00]TW[9:00]{BOARD};)", "", 1.7, 1.8),
        (f"(;GM[Othello]TI[1:00:00//02:00]{BOARD};)", "", 110.0, 111.0),
        (f"(;GM[Othello]{BOARD};)", "", None, None),
    ],
)
def test_go_has_a_share_of_the_clock(game, moves, low, high):
    engine, judge = server()
    talk(f"set depth 9\nset game {game}\n{moves}\ngo\nhint 1", engine)
    go, hint = judge.limits
    assert (go.depth, hint.depth) == (9, 9)
    assert go.seconds is None if low is None else low <= go.seconds <= high
    assert hint.seconds is None


def test_the_analysis_of_a_whole_game():
    """From the end back; passes count; the last position has its result, for who would move."""
    entry = OTHELLO
    session = Session(entry, parse_player("weights", entry), 3)
    while not session.over:
        session.play(session.think(Limits())[0].actions[0])
    game = entry.protocols["nboard"].write(session.start, session.actions, 900.0)
    said = talk(f"set game {game}\nanalyze")
    count = len(session.actions)
    lines = [line.split() for line in said if line.startswith("analysis")]
    assert [int(line[1]) for line in lines] == list(range(count, -1, -1))
    scores = session.state.scores()
    seat = session.state.seat
    assert float(lines[0][2]) == scores[seat] - scores[1 - seat]
    assert talk(f"set game {game}\ngo")[-1] == (
        "status the game is over; there is nothing to decide"
    )


def test_a_player_without_judgement_plays_and_says_so():
    engine = server("weights")[0]
    said = talk("set game (;GM[Othello];)\ngo\nhint 3\nanalyze", engine)
    assert re.fullmatch("=== [CDEF][3456]//0", said[2] if said[0].startswith("set") else said[1])
    assert said[-2:] == ["status Analyzing", "status weights does not judge positions"]
    assert re.fullmatch(r"search [CDEF][3456] 0\.00 0 0", said[-4])


def test_a_ping_ends_the_thinking():
    engine = server(slow=True)[0]
    said = []
    for command in ("hint 4", "go"):
        thread = threading.Thread(target=engine.answer, args=(command, said.append))
        thread.start()
        assert wait_for(lambda: any(line.startswith("search") for line in said))
        assert thread.is_alive()
        engine.heard("ping 5")
        thread.join(10)
        assert not thread.is_alive()
        engine.answer("ping 5", said.append)
        assert said[-1] == "pong 5"
        assert not engine.stop.is_set()
        said.clear()
    # Two pings on the way: the one that is answered first does not let the next thinking run on.
    for line in ("ping 6", "ping 7"):
        engine.heard(line)
    engine.answer("ping 6", said.append)
    engine.answer("hint 1", said.append)
    engine.answer("ping 7", said.append)
    assert not engine.stop.is_set()
    assert [line for line in said if line.startswith("pong")] == ["pong 6", "pong 7"]


COMMANDS = st.sampled_from(
    "nboard set depth game move hint go ping learn analyze contempt F5 D6 C3 PA pa 1 2 0 -1 1e9 "
    f"(; ;) {GAME}B[F5];) {GAME};) (;GM[Othello];) F5/1/2 /// BO[8 nan".split(" ")
)
LINES = st.one_of(
    st.text(st.characters(exclude_categories=("Cs",), exclude_characters="\n")),
    st.lists(COMMANDS, max_size=5).map(" ".join),
)


@settings(max_examples=60)
@given(st.lists(LINES, max_size=12))
def test_any_lines_get_well_formed_answers(lines):
    """Never an exception; every line is one of the protocol's; it still plays afterwards."""
    engine = server("weights")[0]
    for line in lines:
        said = []
        engine.heard(line)
        engine.answer(line, said.append)
        assert all(WORDS_OF_AN_ENGINE.fullmatch(one) for one in said), said
    engine.stop.clear()
    said = talk("set game (;GM[Othello];)\nping 3\ngo", engine)
    assert "pong 3" in said and any(line.startswith("===") for line in said)
    assert not engine.stop.is_set()
