"""The kit for games in plain Python: each rule has its sentence, and its broken game here."""

import re

import pytest
from tests.testing.toys import BREAKS, Cards, Nim, Toss, broken

from ludus.cli.main import main
from ludus.testing import check_game
from ludus.testing.own_game import check_own_game


@pytest.mark.parametrize("game", [Nim, Toss, Cards])
def test_the_toys_conform(game):
    assert check_game(game, games=6) > 300


@pytest.mark.parametrize("name", BREAKS)
def test_every_rule_has_its_sentence(name):
    base, parts, words = BREAKS[name]
    with pytest.raises(AssertionError) as caught:
        check_own_game(broken(base, **parts))
    sentence = str(caught.value)
    assert re.search(words, sentence), sentence
    assert "\n" not in sentence
    where = (
        r"[^:]*, (facts|symmetries|playouts of seed 0|(ply|event) \d+ of [a-z ]+\d+ \(seed 0\)): "
    )
    assert re.match(where, sentence), sentence


def test_the_command_tells_the_sentence(tmp_path, capsys):
    file = tmp_path / "broken.py"
    file.write_text(
        "from tests.testing.toys import BREAKS, Nim, broken\n"
        "Sound = Nim\nBroken = type(broken(*BREAKS['apply in place'][:1], "
        "**BREAKS['apply in place'][1]))\n"
    )
    assert main(["games", "check", f"{file}:Sound", "--games", "2"]) == 0
    assert "checks passed in 2 games" in capsys.readouterr().out
    assert main(["games", "check", f"{file}:Broken"]) == 2
    told = capsys.readouterr().err
    assert re.fullmatch(r"ludus: nim, ply 0 of playout 0 \(seed 0\): apply\(state, 0\) .*\n", told)
    assert main(["games", "check", f"{file}:Sound", "--games", "0"]) == 2
    assert "--games 0 must lie in 1..100000" in capsys.readouterr().err
