"""The games in `examples/`: they conform, train by one command, and play well afterwards."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from tests.examples import perfect

from ludus.players import search_player
from ludus.runs import Run
from ludus.testing import check_game
from ludus.training.plays import game_of_run

EXAMPLES = {
    "tictactoe": "tictactoe.py:TicTacToe",
    "pig": "pig.py:Pig",
    "connect_four": "connect_four.py:ConnectFour",
}


def spec(repository: Path, name: str) -> str:
    return f"{repository / 'examples'}/{EXAMPLES[name]}"


def ludus(*arguments: object, timeout: float = 280) -> str:
    """What a command prints."""
    environment = {k: v for k, v in os.environ.items() if not k.startswith("LUDUS_")}
    done = subprocess.run(
        [sys.executable, "-m", "ludus.cli", *map(str, arguments)],
        env=environment,
        capture_output=True,
        text=True,
        timeout=timeout,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.mark.parametrize("name", EXAMPLES)
def test_examples_conform(repository, name):
    assert check_game(spec(repository, name), games=6) > 1000


@pytest.mark.parametrize("name", EXAMPLES)
def test_examples_are_about_a_hundred_lines(repository, name):
    file = EXAMPLES[name].partition(":")[0]
    assert 80 <= len((repository / "examples" / file).read_text("utf-8").splitlines()) <= 150


def test_own_players_are_players_like_any_other(repository):
    for name, player in (("pig", "hold20"), ("connect_four", "careful")):
        report = json.loads(
            ludus(
                "match", player, "random", "--game", spec(repository, name), "--pairs", 50, "--json"
            )
        )
        assert report["win_rate_low"] > 0.6, (name, report["win_rate"])


@pytest.fixture(scope="module")
def tictactoe(repository, tmp_path_factory):
    """A run of about a minute, by the command of the documents."""
    run = tmp_path_factory.mktemp("examples") / "tictactoe"
    ludus("train", "--game", spec(repository, "tictactoe"), "--run", run, "--iterations", 25)
    return run


@pytest.mark.slow
def test_tictactoe_reaches_perfect_play(tictactoe):
    """Whatever the opponent does, from either seat: no game is lost and no result given away."""
    rules = game_of_run(Run.open(tictactoe, write=False)).rules
    assert perfect.value("." * 9) == 0
    player = search_player(rules, tictactoe)
    for seat in range(2):
        decisions, lost, mistakes = perfect.walk(rules, player, seat)
        assert decisions > 20
        assert (lost, mistakes) == ([], 0)


@pytest.mark.slow
def test_tictactoe_never_loses_to_random(tictactoe):
    report = json.loads(ludus("match", tictactoe, "random", "--pairs", 100, "--json"))
    assert (report["games"], report["losses"]) == (200, 0)


@pytest.fixture(scope="module")
def pig(repository, tmp_path_factory):
    run = tmp_path_factory.mktemp("examples") / "pig"
    ludus("train", "--game", spec(repository, "pig"), "--run", run, "--iterations", 6)
    return run


@pytest.mark.slow
def test_pig_is_learned(pig):
    """Chance and all: the trained player leaves random behind and equals the rule at least."""
    report = json.loads(ludus("match", pig, "random", "--pairs", 200, "--json"))
    assert report["win_rate_low"] > 0.7  # hold20 itself wins 78 % of its games against random
    report = json.loads(ludus("match", pig, "hold20", "--pairs", 300, "--json"))
    assert report["win_rate_high"] > 0.5
