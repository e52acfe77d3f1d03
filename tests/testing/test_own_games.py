"""The kit for games in plain Python: each rule has its sentence, and its broken game here."""

import re

import pytest
from tests.testing.toys import BREAKS, Cards, Nim, Toss, broken

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
