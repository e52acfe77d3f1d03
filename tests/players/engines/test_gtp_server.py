"""Ludus as an engine of GTP: conversations, times, and any line at all."""

import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.players.engines.judge import game_with_judge

import ludus
from ludus.games import get_game
from ludus.players import parse_player
from ludus.players.engines.gtp_server import GtpServer
from ludus.players.engines.session import Session

OTHELLO = get_game("othello")
ANSWER = re.compile(r"[=?][0-9]*( [^\n]*)?(\n[^\n]+)*\n")
"""One answer with the empty line that ends it, less the last line feed, which ``say`` writes."""


def server(player="judge", seed=1):
    entry = game_with_judge()[0]
    return GtpServer(Session(entry, parse_player(player, entry), seed), entry.protocols["gtp"])


def talk(text, engine=None):
    """What the engine says to some lines, its answers without their ends."""
    engine = engine or server()
    said = []
    for line in text.strip("\n").split("\n"):
        before = len(said)
        go_on = engine.answer(line, said.append)
        assert len(said) - before <= 1
        assert go_on or line.split()[-1] == "quit"
    assert all(ANSWER.fullmatch(answer) for answer in said), said
    return [answer[:-1] for answer in said]


def test_a_conversation():
    assert talk(
        """
        protocol_version
        1 name
        02 version
        known_command genmove
        known_command fly
        boardsize 8
        clear_board
        komi 0
        genmove b
        7 play white c3   # that takes one back
        reg_genmove black
        reg_genmove black
        genmove black
        undo
        undo
        undo
        undo
        genmove B
        list_games
        set_game othello
        final_score
        quit
        """
    ) == [
        "= 2",
        "=1 Ludus",
        f"=02 {ludus.__version__} judge",
        "= true",
        "= false",
        "=",
        "=",
        "=",
        "= D3",
        "=7",
        "= B3",
        "= B3",
        "= B3",
        "=",
        "=",
        "=",
        "? cannot undo",
        "= D3",
        "= Othello",
        "=",
        "? cannot score: the game is not over",
        "=",
    ]


def test_every_command_is_listed_and_known():
    (listed,) = talk("list_commands")
    names = listed.removeprefix("= ").split("\n")
    required = {"protocol_version", "name", "version", "known_command", "list_commands", "quit"}
    required |= {"boardsize", "clear_board", "komi", "play", "genmove", "undo", "showboard"}
    required |= {"time_settings", "time_left", "final_score", "reg_genmove", "list_games"}
    assert required <= set(names)
    assert talk("\n".join(f"known_command {name}" for name in names)) == ["= true"] * len(names)


def test_the_board_is_shown_without_an_empty_line():
    (shown,) = talk("4 showboard")
    assert shown.startswith("=4\nBlack (X) to move, move 1 of 60.\n    a b c d e f g h\n  1 . . . ")
    assert "\n\n" not in shown


@pytest.mark.parametrize(
    ("line", "answer"),
    [
        ("fly", "? unknown command"),
        ("5", "?5 unknown command"),
        ("GENMOVE b", "? unknown command"),
        ("boardsize 19", "? unacceptable size"),
        ("boardsize", "? syntax error: one argument is wanted"),
        ("boardsize -8", "? syntax error: '-8' is no number"),
        ("boardsize ٨", "? syntax error: '٨' is no number"),
        ("komi much", "? syntax error: komi is a number"),
        ("komi nan", "? syntax error: komi is a number"),
        ("play black", "? syntax error: play COLOUR SQUARE"),
        ("play red d3", "? syntax error: 'red' is none of black, white"),
        ("play black d9", "? illegal move: 'd9' is no action"),
        ("play black 19", "? illegal move: '19' is no move"),
        ("play black a1", "? illegal move: a1 is illegal: "),
        ("play black pass", "? illegal move: passing is legal only when"),
        ("play white d3", "? illegal move: it is black's turn"),
        ("genmove white", "? illegal move: it is black's turn"),
        ("genmove", "? syntax error: one argument is wanted"),
        ("undo", "? cannot undo"),
        ("set_game Go", "? unknown game: there is only Othello"),
        ("time_settings 1 2", "? syntax error: time_settings MAIN BYO_YOMI STONES"),
        ("time_left black -1 0", "? syntax error: '-1' is no number"),
        ("time_settings 99999999999 0 0", "? syntax error: '99999999999' is no number"),
    ],
)
def test_refusals(line, answer):
    (said,) = talk(line)
    assert said.startswith(answer)


def test_lines_are_cleaned_as_the_protocol_says():
    """Control characters go, tabs are spaces, comments and empty lines are nothing."""
    lines = ["", "   ", "# remark", "\t\x07", "3\tna\x00me\r # x", "\x7f8 n\x1bame"]
    engine, said = server(), []
    for line in lines:
        assert engine.answer(line, said.append)
    assert said == ["=3 Ludus\n", "=8 Ludus\n"]


def test_a_whole_game_with_passes_left_out_and_taken_back():
    """Black is asked again and again; where a side must pass, the pass may be said or not."""
    spoken, silent = server("weights", 5), server("weights", 5)
    moves = []
    colours = ["black", "white"]
    turn = 0
    while True:
        (answer,) = talk(f"genmove {colours[turn]}", spoken)
        if answer == "= PASS" and moves[-1:] == ["PASS"]:
            break
        moves.append(answer[2:])
        turn = 1 - turn
    assert "PASS" in moves
    (score,) = talk("final_score", spoken)
    for count, move in enumerate(moves):
        if move == "PASS":
            continue
        (answer,) = talk(f"play {colours[count % 2]} {move}", silent)
        assert answer == "="
    assert talk("final_score", silent) == [score]
    assert re.fullmatch(r"= [BW]\+\d+|= 0", score)
    assert talk("play black d3", silent) == ["? illegal move: the game is over"]
    assert talk("play black pass\nundo", silent) == ["=", "="]
    played = sum(move != "PASS" for move in moves)
    assert talk("undo\n" * played, silent) == ["="] * played
    assert talk("undo", silent) == ["? cannot undo"]
    assert talk("genmove b", silent)[0].startswith("= ")


def test_genmove_after_a_pass_that_was_left_out():
    """A side that must pass is skipped when the other one is asked to move."""
    engine = server("weights", 5)
    colours = ["black", "white"]
    turn, seen = 0, 0
    while not engine._session.over:
        state = engine._session.state
        if state.legal().tolist() == [64]:
            before = list(engine._session.actions)
            turn = 1 - state.seat
            said = talk(f"reg_genmove {colours[turn]}", engine)[0]
            assert engine._session.actions == before
            assert talk(f"genmove {colours[turn]}", engine) == [said]
            assert engine._session.actions[:-1] == [*before, 64]
            assert talk("undo", engine) == ["="]
            assert engine._session.actions == before
            assert talk(f"genmove {colours[turn]}", engine) == [said]
            seen += 1
        else:
            talk(f"genmove {colours[state.seat]}", engine)
    assert seen


def seconds_of(lines):
    entry, judge = game_with_judge()
    engine = GtpServer(Session(entry, parse_player("judge", entry), 1), entry.protocols["gtp"])
    talk(lines + "\nreg_genmove black", engine)
    return judge.limits[-1].seconds


@pytest.mark.parametrize(
    ("lines", "low", "high"),
    [
        ("time_settings 0 0 0", None, None),
        ("time_settings 0 10 0", None, None),  # no limit, says the protocol
        ("time_settings 310 0 0", 9.0, 9.6),  # 30 moves and a reserve
        ("time_settings 0 10 5", 1.8, 1.9),
        ("time_settings 31 10 5", 2.7, 2.9),
        ("time_settings 300 0 0\ntime_left black 31 0", 0.85, 0.95),
        ("time_settings 300 0 0\ntime_left b 6 3", 1.8, 1.9),
        ("time_left black 0 0", 0.01, 0.01),
        ("time_settings 300 0 0\ntime_settings 0 1 0", None, None),
    ],
)
def test_time_for_a_move(lines, low, high):
    found = seconds_of(lines)
    assert (found is None) if low is None else low <= found <= high


def test_random_choices_follow_from_the_seed():
    one, two, three = ([talk("genmove b", server("random", seed))[0]] for seed in (1, 1, 3))
    assert one == two
    assert any(talk("genmove b", server("random", seed)) != one for seed in range(2, 9)), three


WORDS = st.sampled_from(
    (
        *("boardsize", "clear_board", "komi", "play", "genmove", "reg_genmove", "undo"),
        *("showboard", "time_settings", "time_left", "final_score", "set_game", "list_games"),
        *("known_command", "protocol_version", "b", "white", "black", "pass", "d3", "c4", "f5"),
        *("e6", "c3", "a1", "8", "0", "1", "19", "3.5", "#", "Othello"),
    )
)
LINES = st.one_of(
    st.text(st.characters(exclude_categories=("Cs",), exclude_characters="\n")),
    st.lists(WORDS, max_size=5).map(" ".join),
)


@settings(max_examples=60)
@given(st.lists(LINES, max_size=12))
def test_any_lines_get_well_formed_answers(lines):
    """Never an exception, never more than one answer, and the engine still plays afterwards."""
    engine = server("weights")
    for line in lines:
        said = []
        go_on = engine.answer(line, said.append)
        assert len(said) <= 1
        assert all(ANSWER.fullmatch(answer) for answer in said), said
        assert go_on or said
    said = talk("clear_board\ngenmove b", engine)
    assert said[0] == "=" and re.fullmatch("= [CDEF][3456]", said[1])
