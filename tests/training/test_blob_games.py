"""From rounds to whole games: another run with the first one's weights, and what may not change."""

import numpy as np
import pytest
from tests.training.test_blob_run import SETTINGS
from tests.training.tiny import train

from ludus.arena import SeedSet, make_match
from ludus.errors import RunError, UserError
from ludus.games import get_game
from ludus.players import parse_player
from ludus.players.search import load_network
from ludus.runs import Run, read_status
from ludus.training.layers import load_recipe
from ludus.training.plays import game_to_train

GAMES = "blob:play=games,players=3,highest=2"


def blob(path, **options):
    return train(path, "evaluation.every=0", recipe="blob", settings=SETTINGS, **options)


@pytest.fixture(scope="module")
def rounds(tmp_path_factory):
    path = tmp_path_factory.mktemp("rounds") / "blob"
    assert blob(path, iterations=1).state == "done"
    return path


def test_whole_games_go_on_from_the_weights_of_rounds(rounds, tmp_path):
    path = tmp_path / "games"
    ending = blob(path, game=GAMES, init_from=rounds, iterations=1)
    assert ending.state == "done"
    game = get_game(GAMES)
    before, _ = load_network(get_game("blob").rules, rounds)
    first, run = load_network(game.rules, path, "first")
    for one, two in zip(before.parameters(), first.parameters(), strict=True):
        assert np.array_equal(one.detach().numpy(), two.detach().numpy())
    assert run.config["game"] == game.source
    status = read_status(path)
    assert status["training_on"] == "games"
    assert status["figures"]["mean_plies"] > 3 * 2  # more than one round


def test_a_run_of_rounds_is_measured_on_whole_games(rounds):
    game = get_game(GAMES)
    player = parse_player(f"search:run={rounds},sims=1,worlds=1", game)
    seeds = SeedSet.generate(3, 2, purpose="arena")
    result = make_match(game.rules, player, parse_player("random", game), seeds).run()
    rounds_of_a_game = 2 * 1 + 3  # of two cards, of one card for each player, of two
    assert result.as_json()["rounds"] == 2 * 6 * rounds_of_a_game


def test_a_run_keeps_the_options_of_its_game(rounds):
    with pytest.raises(RunError, match="a run keeps the options of its game"):
        blob(rounds, game=GAMES, iterations=2)
    assert Run.open(rounds, write=False).manifest.progress["game"] is None


def test_another_game_is_refused():
    with pytest.raises(UserError, match="trains blob and nothing else"):
        game_to_train(load_recipe("blob"), "yatzy")
