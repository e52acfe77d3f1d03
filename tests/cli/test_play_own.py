"""`ludus play` with games that their users wrote."""

import io
from pathlib import Path

import pytest

from ludus.cli import main as cli

SMALL = Path(__file__).parents[1] / "games" / "small_games.py"


@pytest.fixture
def play(monkeypatch, capsys):
    """Plays with these lines as input; returns exit code, stdout and stderr."""
    monkeypatch.setattr(cli, "COMMAND_MODULES", ("play", "games"))

    def run(lines, *arguments):
        monkeypatch.setattr("sys.stdin", io.StringIO("".join(f"{line}\n" for line in lines)))
        code = cli.main(("play", *arguments))
        captured = capsys.readouterr()
        return code, captured.out, captured.err

    return run


def test_a_game_without_points(play):
    lines = ["help", "a1", "b3", "a2", "c3", "a3"]
    code, out, err = play(lines, f"{SMALL}:TicTacToe", "--against", "person", "--seed", "1")
    assert (code, err) == (0, "")
    assert "Three in a row on nine squares. Two people play; seed 1." in out
    assert "a1  b1  c1  a2" in out  # help
    assert "x . .\n. . .\n. o ." in out
    assert out.strip().splitlines()[-1] == "Seat 0 wins."
    assert "points" not in out


def test_the_search_answers_and_gives_hints(play):
    code, out, err = play(
        ["b2", "hint", "9", "quit"], f"{SMALL}:TicTacToe", "--against", "uniform:sims=50"
    )
    assert (code, err) == (0, "")
    assert "uniform:sims=50: " in out
    assert "uniform:sims=50 would play: " in out
    assert "'9' is no action here; there are: " in out
    assert out.strip().splitlines()[-1] == "You leave the game."


def test_a_game_with_dice_and_points(play):
    code, out, err = play(
        ["0", "1"] * 60, f"{SMALL}:DiceRace", "--against", "cautious", "--seed", "3"
    )
    assert (code, err) == (0, "")
    assert "; rolled " in out
    assert " points" in out
    last = out.strip().splitlines()[-1]
    assert last.startswith(("You win: ", "You lose: "))
    own, other = (int(word) for word in last.split(": ")[1].rstrip(".").split(" to "))
    assert max(own, other) >= 12


def test_three_seats(play):
    code, out, _ = play(["0"] * 11, f"{SMALL}:ThreeTakers", "--seat", "2", "--seed", "1")
    assert code == 0
    assert out.strip().splitlines()[-1] in ("You win.", "You lose.")


def test_a_game_that_fails_is_one_sentence(play, tmp_path):
    (tmp_path / "mine.py").write_text(
        SMALL.read_text("utf-8").replace("stones[state[2]] |= 1 << action", "stones[7] = action")
    )
    code, _, err = play(["a1"], f"{tmp_path}/mine.py:TicTacToe", "--against", "person")
    assert code == 2
    assert f"{tmp_path}/mine.py:" in err
    assert "IndexError" in err
    assert "Traceback" not in err


def test_perft_takes_positions_of_moves(monkeypatch, capsys):
    monkeypatch.setattr(cli, "COMMAND_MODULES", ("games",))
    assert cli.main(("perft", f"{SMALL}:TicTacToe", "3")) == 0
    assert capsys.readouterr().out == "504\n"
    assert cli.main(("perft", f"{SMALL}:DiceRace", "2", "--position", "0 *3")) == 0
    assert capsys.readouterr().out == "7\n"  # six faces after a throw, one move after banking
    assert cli.main(("perft", f"{SMALL}:DiceRace", "2", "--position", "0 3")) == 2
    assert "move 2" in capsys.readouterr().err
