"""`ludus oracle othello` as a user types it."""

from __future__ import annotations

import json

import pytest

from ludus.cli import main as cli
from ludus.games import othello_problems
from ludus.games.othello_position import START

FIRST = "--XXXXX--OOOXX-O-OOOXXOX-OXOXOXXOXXXOXXX--XOXOXX-XXXOOO--OOOOO-- X"


@pytest.fixture
def ludus(monkeypatch, capsys):
    """Runs a command; returns exit code, stdout and stderr."""
    monkeypatch.setattr(cli, "COMMAND_MODULES", ("oracle", "players"))

    def run(*arguments: str) -> tuple[int, str, str]:
        code = cli.main(("oracle", "othello", *arguments))
        captured = capsys.readouterr()
        return code, captured.out, captured.err

    return run


def test_the_test_set(ludus):
    code, out, err = ludus("test", "--empty", "14")
    assert (code, err) == (0, "")
    assert "#1" in out and "+18" in out and "7 of 7 right" in out and "WRONG" not in out
    code, out, _ = ludus("test", "--empty", "14", "--threads", "2", "--json")
    report = json.loads(out)
    assert (code, report["wrong"], len(report["problems"])) == (0, [], 7)
    assert report["problems"][0]["move"] == "g8" and report["problems"][0]["score"] == 18.0


def test_a_wrong_answer_is_told(ludus, monkeypatch):
    right = othello_problems.problems(14)[:2]
    wrong = othello_problems.Problem(2, right[1].state, 12, right[1].best)
    monkeypatch.setattr(othello_problems, "problems", lambda empty: (right[0], wrong))
    code, out, _ = ludus("test")
    assert code == 1 and "1 of 2 right" in out and out.count("WRONG") == 1
    code, out, _ = ludus("test", "--json")
    assert code == 1 and json.loads(out)["wrong"] == [2]


def test_a_position(ludus):
    code, out, err = ludus("solve", "--position", FIRST)
    assert (code, err) == (0, "")
    assert out.startswith("+18 for black  g8 ") and "nodes in" in out
    code, out, _ = ludus("solve", "--position", FIRST, "--json")
    found = json.loads(out)
    assert (code, found["score"], found["best"], found["line"][0]) == (0, 18.0, "g8", "g8")
    over = "X" * 64 + " O"
    assert ludus("solve", "--position", over)[1].startswith("-64 for white\n")


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("solve", "--position", START), "has 60 empty squares; at most 30 are solved"),
        (("solve", "--position", "XO"), "has 64 squares"),
        (("test", "--empty", "13"), "no problem has so few"),
        (("test", "--threads", "0"), "--threads 0 must lie in 1..64"),
        (("test", "--tables", "/nowhere"), "/nowhere is neither a run nor a file"),
    ],
)
def test_bad_input(ludus, arguments, words):
    code, out, err = ludus(*arguments)
    assert (code, out) == (2, "") and words in err and len(err.splitlines()) == 1
