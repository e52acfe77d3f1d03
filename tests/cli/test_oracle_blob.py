"""``ludus oracle blob``: the last cards of a round with best play of everybody."""

from __future__ import annotations

import json

import pytest

from ludus.cli import main as cli

# The first to lead has bid one trick, and no other suit beats the ace of trumps.
POSITION = "play 3x2s 2 0 1,1,1 0,0,0 0,0,0 As2h/3h4h/5c6c - -,-,- 0:-"


@pytest.fixture
def ludus(monkeypatch, capsys):
    """Runs a command in this process; returns exit code, output and error output."""

    monkeypatch.setattr(cli, "COMMAND_MODULES", ("oracle",))

    def run(*arguments: str) -> tuple[int, str, str]:
        code = cli.main(("oracle", "blob", *arguments))
        captured = capsys.readouterr()
        return code, captured.out, captured.err

    return run


def test_values(ludus):
    found = json.loads(ludus("values", "--position", POSITION, "--json")[1])
    assert found["seat"] == 0
    # The ace of trumps takes one trick whenever it is played, and the deuce never any: hearts
    # are out. In other worlds the deuce may take one too.
    assert {row["name"]: row["open"] for row in found["actions"]} == {"As": 11.0, "2h": 11.0}
    best, other = found["actions"]
    assert 0.0 < other["worlds"] <= best["worlds"] < 11.0
    assert other["loss"] == best["worlds"] - other["worlds"]
    _, text, _ = ludus("values", "--position", POSITION, "--worlds", "20")
    assert "mean of 20 worlds" in text


def test_players_in_the_same_positions(ludus):
    asked = ("test", "rules", "random", "--rounds", "12", "--worlds", "8")
    game = ("--game", "blob:players=4,cards=3")
    found = json.loads(ludus(*asked, *game, "--json")[1])
    rules, random = found["players"]
    assert rules["decisions"] == random["decisions"] > 15
    assert rules["mean_regret"] < random["mean_regret"]
    assert "points lost a card" in ludus(*asked, *game)[1]


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (("values", "--position", "nonsense"), "nonsense"),
        (("values", "--position", POSITION, "--worlds", "0"), "--worlds is 0; it must lie in"),
        (("values", "--position", "start"), "--position is no decision"),
        (("test", "rules", "--cards", "40"), "--cards is 40; it must lie in 1..24"),
        (("test", "rules", "--game", "yatzy"), "it must be blob or blob: with options"),
        (("test", "nobody"), "nobody"),
    ],
)
def test_bad_input_is_one_sentence(ludus, arguments, sentence):
    code, out, err = ludus(*arguments)
    assert code == 2 and out == ""
    assert err.startswith("ludus: ") and err.count("\n") == 1
    assert sentence in err
