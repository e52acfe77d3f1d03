"""Records of Othello in the world's formats: there and back, and everything that is wrong."""

from __future__ import annotations

import datetime
import re

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests.games.own_play import play as play_games

from ludus.cli import main as cli
from ludus.errors import GameError, UserError
from ludus.games import get_game
from ludus.games.formats import format_of
from ludus.games.othello_ggf import ggf_text, parse_ggf
from ludus.games.othello_position import PASS, START
from ludus.games.othello_records import (
    OthelloRecord,
    checked,
    of_actions,
    parse_transcript,
    transcript_text,
)
from ludus.games.othello_svg import board_svg
from ludus.games.othello_wthor import Names, parse_names, parse_wthor, wthor_files
from ludus.players import RandomPlayer

OTHELLO = get_game("othello")
SHORTEST = "e6f4e3f6g5d6e7f5c5"  # black has taken every disc after nine moves


def random_record(seed, **more):
    """A random game to its end."""
    chooser = np.random.default_rng(seed)
    state, actions = OTHELLO.rules.initial(), []
    while state.kind == "decision":
        actions.append(int(chooser.choice(state.legal())))
        state.apply(actions[-1])
    return checked(OthelloRecord(tuple(actions), **more), number=1)


def with_pass():
    """A random game in which somebody passes."""
    return next(one for one in map(random_record, range(100)) if PASS in one.actions[5:-5])


names = st.text(
    st.characters(codec="ascii", exclude_characters="[]", min_codepoint=32), max_size=12
)
names = names.map(str.strip)
numbers = st.none() | st.floats(-64, 64).map(lambda x: round(x, 2))


@st.composite
def any_records(draw):
    full = random_record(draw(st.integers(0, 10_000)))
    length = draw(st.integers(0, len(full.actions)))
    actions = full.actions[:length]
    finished = length == len(full.actions)
    spread = tuple(draw(numbers) for _ in actions)
    return OthelloRecord(
        actions,
        black=draw(names),
        white=draw(names),
        event=draw(names),
        date=draw(names),
        result=full.result
        if finished
        else draw(st.none() | st.integers(-32, 32).map(lambda n: 2.0 * n)),
        ended="" if finished else draw(st.sampled_from(["", "r", "t"])),
        evaluations=spread if any(one is not None for one in spread) else (),
    )


def normal(record):
    """What a file can tell: an ended game without a result has none."""
    return record if record.result is not None else OthelloRecord(**{**vars(record), "ended": ""})


# -- transcripts ---------------------------------------------------------------------------------


def test_a_transcript_is_read_in_every_form():
    record = with_pass()
    plain = transcript_text(record)
    assert parse_transcript(plain) == record
    assert parse_transcript(plain.upper()) == record
    assert parse_transcript(transcript_text(record, passes=True)) == record
    moves = re.findall("..", transcript_text(record, passes=True))
    assert parse_transcript(" ".join(moves).replace("pa", "Pass")) == record
    assert parse_transcript(" ".join(f"{i}. {move}" for i, move in enumerate(moves, 1))) == record
    assert parse_transcript("".join(f"{i}.{move}" for i, move in enumerate(moves, 1))) == record
    assert parse_transcript(" ".join(f"{i} {move}" for i, move in enumerate(moves, 1))) == record
    assert parse_transcript(plain.replace("pa", "--")).end().packed() == record.end().packed()


def test_endings_and_results():
    record = parse_transcript(SHORTEST)
    assert record.result == 64  # thirteen discs to none: the empty squares are the winner's
    assert record.end().kind == "terminal"
    assert [state.kind for state in record.states()] == ["decision"] * 9 + ["terminal"]
    assert parse_transcript(SHORTEST[:8]).result is None
    assert of_actions(record.actions, ("ann", "bob")).black == "ann"


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("f5a1", "move 2 of game 7, 'a1', is illegal: a disc there turns no other$"),
        ("f5f5", "move 2 of game 7, 'f5', is illegal: the square is taken$"),
        ("f5pa", "move 2 of game 7, 'pass', is illegal: passing is legal only when"),
        (SHORTEST + "a1", "move 10 of game 7, 'a1', is illegal: the game is over"),
        ("f5 i9", "game 7: 'i9' at character 4 is no move"),
        ("f5\x00", r"game 7: '\\x00' at character 3"),
        ("f5d6 1-0", "game 7: '1-0' at character 6 is no move"),
    ],
)
def test_a_bad_transcript_is_one_sentence(text, sentence):
    with pytest.raises(GameError, match=sentence) as caught:
        parse_transcript(text, number=7)
    assert "\n" not in str(caught.value)


# -- GGF -----------------------------------------------------------------------------------------

GGS = (
    "2 (;GM[Othello]PC[GGS/os]DT[2004.09.18_05:54:38.MDT]PB[ann]PW[bob]RB[1837.5]RW[3203.5]\n"
    "TI[01:00/00:00/02:00]TY[8]RE[+64.00]BO[8 --- -----\n-------- -------- ---O*---"
    " ---*O--- -------- -------- -------- *]\n"
    "B[E6//0.01]W[f4/-1.5/1:02.5]B[E3]W[F6]B[G5]W[D6]B[e7/3]W[f5]B[c5//2];)"
    " more (;GM[Othello]RE[?]BO[8 ---------------------------O*------*O"
    "--------------------------- *]B[d3]W[c3];)\n"
)


def test_a_file_of_a_server_is_read():
    first, second = parse_ggf(GGS)
    assert transcript_text(first) == SHORTEST
    assert (first.black, first.white, first.event) == ("ann", "bob", "GGS/os")
    assert first.result == 64
    assert first.evaluations[:3] == (None, -1.5, None)
    assert first.seconds[:3] == (0.01, 62.5, None)
    assert first.tags == {
        "RB": "1837.5",
        "RW": "3203.5",
        "TI": "01:00/00:00/02:00",
        "TY": "8",
    }
    assert (second.actions, second.result, second.start) == ((19, 18), None, START)
    assert parse_ggf(ggf_text([first, second]))[0] == first


def test_a_game_from_another_start_with_passes():
    record = with_pass()
    at = next(i for i, action in enumerate(record.actions) if action == PASS)
    start = OTHELLO.position_text(list(record.states())[at])
    later = checked(OthelloRecord(record.actions[at:], start=start), number=1)
    text = ggf_text([later])
    assert "pass]" in text
    assert parse_ggf(text) == [OthelloRecord(**{**vars(later), "tags": {"TY": "8"}})]
    # Files that leave passes out are understood as well.
    assert parse_ggf(text.replace("B[pass]", "").replace("W[pass]", ""))[0].actions == later.actions
    for write in (transcript_text, lambda one: wthor_files([one])):
        with pytest.raises(GameError, match="game 1 does not begin at the start"):
            write(later)


@settings(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.lists(any_records(), max_size=3))
def test_ggf_gives_back_what_was_written(records):
    text = ggf_text(records)
    if not records:
        with pytest.raises(GameError, match="no game here"):
            parse_ggf(text)
        return
    found = parse_ggf(text)
    assert [OthelloRecord(**{**vars(one), "tags": {}}) for one in found] == [
        normal(one) for one in records
    ]


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("", "there is no game here"),
        ("(;GM[Othello]B[f5]", "game 1 is cut off: it has no ';\\)'"),
        ("(;GM[Othello](;GM[Othello];)", "game 1 is cut off"),
        ("(;GM[Othello]PB[ann;)", "game 1: 'PB\\[ann' is no property"),
        ("(;GM[Othello]hello;)", "game 1: 'hello' is no property"),
        ("(;GM[Amazons];)", "game 1 is 'Amazons', not Othello"),
        ("(;TY[8a];)", "game 1 is of type '8a'"),
        ("(;BO[10 --- *];)", "game 1 is on a board of size '10'"),
        ("(;BO[8 --- *];)", "game 1 has no start: an Othello position has 64 squares"),
        ("(;B[f5]W[f5];)", "move 2 of game 1, 'f5', is illegal: the square is taken"),
        ("(;W[f5];)", "move 1 of game 1, 'f5', is white's in the file, but black is to move"),
        ("(;B[z5];)", "move 1 of game 1, 'z5', is no move"),
        ("(;B[f5/nan];)", "move 1 of game 1, 'f5/nan': 'nan' is no number"),
        ("(;RE[won];)", "game 1 has the result 'won'"),
        ("(;RE[+65.0];)", "game 1 has the result"),
        (ggf_text([parse_transcript(SHORTEST)]).replace("+64", "+60"), "ends \\+64 for black"),
    ],
)
def test_bad_ggf_is_one_sentence(text, sentence):
    with pytest.raises(GameError, match=sentence) as caught:
        parse_ggf(text)
    assert "\n" not in str(caught.value)


def test_an_agreed_result_need_not_be_that_of_the_board():
    text = ggf_text([parse_transcript(SHORTEST)]).replace("+64.00", "-64.00:t")
    (record,) = parse_ggf(text)
    assert (record.result, record.ended) == (-64, "t")


@settings(max_examples=150, deadline=None)
@given(st.data())
def test_damaged_ggf_is_refused_or_read_and_nothing_else(data):
    text = GGS
    for _ in range(data.draw(st.integers(1, 4))):
        at = data.draw(st.integers(0, len(text) - 1))
        text = text[:at] + data.draw(st.sampled_from("()[];*OB8/\x00")) + text[at + 1 :]
    problems: list[str] = []
    try:
        parse_ggf(text, problems)
    except GameError as error:
        problems.append(str(error))
    assert all("\n" not in problem for problem in problems)


def test_many_beginnings_do_not_take_for_ever():
    problems: list[str] = []
    assert parse_ggf("(;" * 200_000, problems) == []
    assert len(problems) == 200_000


# -- WTHOR ---------------------------------------------------------------------------------------

DAY = datetime.date(2026, 11, 21)


def files(records, **more):
    return wthor_files(records, created=DAY, **more)


def test_wthor_is_laid_out_as_published():
    record = OthelloRecord(**{**vars(parse_transcript(SHORTEST)), "black": "Ann", "white": "Bob"})
    found = files([record], year=2004)
    header, game = found[".wtb"][:16], found[".wtb"][16:]
    assert header == bytes([20, 26, 11, 21, 1, 0, 0, 0, 0, 0, 2004 % 256, 2004 // 256, 8, 0, 0, 0])
    assert len(game) == 68
    assert game[:8] == bytes([0, 0, 0, 0, 1, 0, 64, 64])
    assert game[8:18] == bytes([65, 46, 35, 66, 57, 64, 75, 56, 53, 0])
    assert found[".jou"][16:] == b"Ann".ljust(20, b"\0") + b"Bob".ljust(20, b"\0")
    assert found[".jou"][4:12] == bytes([0, 0, 0, 0, 2, 0, 0, 0])
    assert len(found[".trn"]) == 16 + 26


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.lists(any_records(), max_size=4), st.booleans())
def test_wthor_gives_back_what_was_written(records, with_names):
    records = [one for one in records if one.result is not None]
    found = files(records, year=1999)
    known = Names(parse_names(found[".jou"], 20, "names"), parse_names(found[".trn"], 26, "names"))
    again = parse_wthor(found[".wtb"], known if with_names else None)
    assert len(again) == len(records)
    for one, two in zip(records, again, strict=True):
        assert list(two.end().packed()) == list(checked(two, number=1).end().packed())
        assert transcript_text(one) == transcript_text(two)
        assert (two.result, two.theoretical, two.date) == (one.result, one.result, "1999")
        if with_names:
            assert (two.black, two.white, two.event) == (one.black, one.white, one.event)
        else:
            assert two.black.startswith("player ")


def damaged(change, record=None):
    content = bytearray(files([record or parse_transcript(SHORTEST)])[".wtb"])
    change(content)
    return bytes(content)


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        (lambda c: c.clear(), "base is no WTHOR file: it has 0 bytes"),
        (lambda c: c.pop(), "says 1 games, which are 68 bytes, and 67 bytes follow"),
        (lambda c: c.__setitem__(4, 9), "says 9 games, which are 612 bytes, and 68 bytes follow"),
        (lambda c: c.__setitem__(12, 10), "base is of a board of size 10"),
        (lambda c: c.__setitem__(13, 1), "base is a base of solitaires"),
        (lambda c: c.__setitem__(22, 65), "game 1 gives black 65 discs"),
        (lambda c: c.__setitem__(22, 40), "ends \\+64 for black on the board, but the file says"),
        (lambda c: c.__setitem__(24, 19), "move 1 of game 1 is the byte 19, which is no square"),
        (lambda c: c.__setitem__(25, 0), "move 2 of game 1 is the byte 0"),
        (lambda c: c.__setitem__(25, 65), "move 2 of game 1, 'e6', is illegal: the square is"),
        (lambda c: c.__setitem__(18, 7), "game 1 names player 7, but there are only 2"),
    ],
)
def test_a_damaged_base_is_one_sentence(change, sentence):
    with pytest.raises(GameError, match=sentence):
        parse_wthor(damaged(change), Names(("Ann", "Bob")), what="base")


@settings(max_examples=100, deadline=None)
@given(st.binary(max_size=200), st.booleans())
def test_foreign_bytes_are_refused(content, counted):
    if counted and len(content) >= 84:  # a header that fits
        content = content[:4] + bytes([1, 0, 0, 0]) + content[8:84]
    problems: list[str] = []
    for read in (
        lambda: parse_wthor(content, problems=problems),
        lambda: parse_names(content, 20, "names"),
        lambda: parse_names(content, 26, "names"),
    ):
        try:
            read()
        except GameError as error:
            problems.append(str(error))
    assert problems or len(content) >= 16
    assert all("\n" not in problem for problem in problems)


def test_names_that_do_not_fit():
    long = "a player with a very long name"
    one = random_record(1, black=long, white="x")
    assert parse_names(files([one])[".jou"], 20, "names") == (long[:19], "x")
    with pytest.raises(GameError, match="are the same in the 19 characters"):
        files([one, random_record(2, black=long + " too")])
    with pytest.raises(GameError, match="game 1 has no result"):
        files([parse_transcript("f5")])
    with pytest.raises(GameError, match="game 1 has the score \\+3; WTHOR wants an even"):
        files([OthelloRecord((), result=3.0)])
    with pytest.raises(GameError, match="brackets or line ends"):
        ggf_text([OthelloRecord((), black="a]b")])


# -- pictures and commands -----------------------------------------------------------------------


def test_a_picture_has_every_disc():
    record = random_record(3)
    state = list(record.states())[20]
    svg = board_svg(state, last=record.actions[19], marks={0: "<1>"}, shaded={7})
    black, white = state.scores()
    assert svg.count('r="16" fill="#111111"') == black
    assert svg.count('r="16" fill="#f7f7f2"') == white
    assert svg.count("fill-opacity") == len(set(state.legal().tolist()) - {0, 64})
    assert "&lt;1&gt;" in svg
    assert "http" not in svg  # as a part of a page
    assert 'xmlns="http://www.w3.org/2000/svg"' in board_svg(state, standalone=True)
    assert svg.count("#8bbf6a") == svg.count("#d6402b") == 1


def run(capsys, *arguments):
    code = cli.main([str(one) for one in arguments])
    said = capsys.readouterr()
    return code, said.out, said.err


@pytest.fixture
def commands(monkeypatch):
    monkeypatch.setattr(cli, "COMMAND_MODULES", ("games", "replay"))


def test_files_are_converted_from_each_format_to_each(tmp_path, capsys, commands):
    records = [random_record(i, black=f"player {i}", white="w") for i in range(3)]
    first = tmp_path / "all.ggf"
    first.write_text(ggf_text(records))
    for source, target in (("all.ggf", "a.wtb"), ("a.wtb", "b.ggf"), ("b.ggf", "c.txt")):
        code, out, _ = run(
            capsys, "games", "convert", "othello", tmp_path / source, tmp_path / target
        )
        assert (code, out.split(" in ")[0]) == (0, "3 games")
    assert "a.wtb, a.jou, a.trn" in run(
        capsys, "games", "convert", "othello", first, tmp_path / "sub.wtb"
    )[1].replace("sub.", "a.")
    assert [
        parse_transcript(line).actions for line in (tmp_path / "c.txt").read_text().split()
    ] == [one.actions for one in records]
    assert parse_ggf((tmp_path / "b.ggf").read_text())[2].black == "player 2"
    # A base beside the names of the whole collection.
    (tmp_path / "a.jou").rename(tmp_path / "WTHOR.JOU")
    assert OTHELLO.formats[".wtb"].read(tmp_path / "a.wtb", None)[1].black == "player 1"


def test_bad_files_are_one_sentence(tmp_path, capsys, commands):
    bad = tmp_path / "bad.txt"
    bad.write_text("# two games\nf5d6\n\nf5f5\nf5f4\n")
    target = tmp_path / "out.ggf"
    code, out, err = run(capsys, "games", "convert", "othello", bad, target)
    assert (code, out) == (2, "")
    assert "move 2 of game 2, 'f5', is illegal" in err
    assert not target.exists()
    code, out, err = run(capsys, "games", "convert", "othello", bad, target, "--skip-bad")
    assert (code, out) == (0, "2 games in out.ggf\n1 games left out\n")
    assert "move 2 of game 2" in err
    code, _, err = run(capsys, "games", "convert", "othello", bad, target, "--skip-bad")
    assert (code, "exists; name a file that does not" in err) == (2, True)
    code, _, err = run(capsys, "games", "convert", "othello", tmp_path / "none.ggf", target)
    assert (code, "No such file" in err) == (2, True)
    code, _, err = run(capsys, "games", "convert", "othello", bad, tmp_path / "x.pgn")
    assert (code, ".wtb (WTHOR)" in err) == (2, True)
    with pytest.raises(UserError, match="yatzy has no format"):
        format_of(get_game("yatzy").formats, bad, "yatzy")


def test_games_of_a_run_are_written(tmp_path, capsys, commands, monkeypatch):
    import ludus.cli.replay as replay
    import ludus.training.plays as plays

    columns, _ = play_games(OTHELLO.rules, [RandomPlayer()], 4, slots=64)

    class Stored:
        run = None

        def newest(self, games):
            return type("Records", (), {"columns": columns})

    monkeypatch.setattr(replay, "_opened", lambda path: Stored())
    monkeypatch.setattr(replay, "chosen_run", lambda *asked: tmp_path)
    monkeypatch.setattr(plays, "game_of_run", lambda run: OTHELLO)
    code, out, _ = run(capsys, "replay", "games", tmp_path / "out.ggf")
    assert (code, out) == (0, "4 games in out.ggf\n")
    found = parse_ggf((tmp_path / "out.ggf").read_text())
    differences = (columns["scores"][:, 0] - columns["scores"][:, 1]).tolist()
    assert [one.result for one in found] == differences
