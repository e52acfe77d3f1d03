"""`ludus play othello` against a player that searches: its lines are the hints."""

import io
import re

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
    assert out.count("searcher expects, in discs for you:") == 2
    lines = re.findall(r"^ +[+-]\d+\.\d\d  ([a-h][1-8])((?: [a-h][1-8]){2})$", out, re.M)
    assert {first for first, _ in lines[:4]} == {"d3", "c4", "f5", "e6"}
    assert "searcher: " in out and "You: d3" in out
