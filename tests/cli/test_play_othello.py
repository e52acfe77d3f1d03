"""`ludus play othello`: hints by a player that searches, and by the oracle of the end."""

import io
import re

import numpy as np
import pytest

from ludus import _core
from ludus.cli import main as cli
from ludus.games import get_game
from ludus.games.othello_chooser import SearchChooser

OTHELLO = get_game("othello")


@pytest.fixture
def play(monkeypatch, capsys):
    """Plays with these lines as input; returns exit code, stdout and stderr."""
    monkeypatch.setattr(cli, "COMMAND_MODULES", ("play", "players"))
    chooser = SearchChooser(_core.PatternTables(), {"depth": 3, "endgame": 0})
    monkeypatch.setitem(OTHELLO.players, "searcher", lambda options: chooser)

    def run(lines, *arguments):
        monkeypatch.setattr("sys.stdin", io.StringIO("".join(f"{line}\n" for line in lines)))
        code = cli.main(("play", "othello", *arguments))
        captured = capsys.readouterr()
        return code, captured.out, captured.err

    return run


def test_hints_are_lines_of_the_opponents_search(play):
    code, out, err = play(["hint", "d3", "hint", "quit"], "--against", "searcher")
    assert (code, err) == (0, "")
    assert out.count("How far ahead you come out, by searcher:") == 2
    lines = re.findall(r"^  +[+-]\d+\.\d\d  ([a-h][1-8])( [a-h][1-8]){2}  \(depth 3\)$", out, re.M)
    assert {first for first, _ in lines[:4]} == {"d3", "c4", "f5", "e6"}
    assert "searcher: " in out and "You: d3" in out


def test_hints_of_others_and_of_the_oracle(play, monkeypatch):
    out = play(["hint", "quit"], "--against", "weights")[1]
    assert "weights would play: " in out and "nan" not in out
    values = np.full((1, 65), np.nan)
    values[0, [19, 26]] = (-2.0, 4.0)
    monkeypatch.setitem(OTHELLO.suites, "action_values", lambda states: values)
    out = play(["hint", "quit"], "--against", "searcher")[1]
    hints = out[out.index("by the oracle:") :].splitlines()[1:3]
    assert [hint.split() for hint in hints] == [["4.00", "c4"], ["-2.00", "d3"]]
