"""Searches that are looked at: the same ones as in play, bit for bit."""

import math
from pathlib import Path

import numpy as np
import pytest
from tests.monitor.inspected import _tiny_run, tiny_run  # noqa: F401 - fixtures

from ludus.errors import PlayerError, RunError
from ludus.games import get_game
from ludus.monitor.inspect.position import describe_position, divergence, entropy
from ludus.monitor.inspect.replayed import describe_game, search_again, state_before
from ludus.monitor.inspect.searching import judge, search_position
from ludus.monitor.inspect.stored import StoredReplay, first_plies
from ludus.players import parse_player
from ludus.players.single import choice_after
from ludus.training.plays import game_of_run

TICTACTOE = Path(__file__).parents[2] / "examples" / "tictactoe.py"


def test_a_search_from_any_position_is_the_search_of_a_game(tiny_run: Path) -> None:  # noqa: F811
    """The tree takes games from their start; a position that is a start gives what it gave."""
    replay = StoredReplay(tiny_run)
    entry = game_of_run(replay.run)
    record = replay.newest(1)
    player = parse_player(f"search:run={tiny_run},sims=24", entry)
    for ply in (0, 7, 30):
        before = first_plies(record, ply)
        before["game_id"] = np.zeros(1, np.int64)
        there = choice_after(entry.rules, player, before)
        found = search_position(entry, state_before(entry, record, ply), player)
        assert found.action == there
        assert sum(found.visits) == 24


def test_the_network_alone_gives_the_priors_of_the_search(tiny_run: Path) -> None:  # noqa: F811
    entry = get_game("yatzy")
    state = entry.parse_position("32639/0/0 28671/3/3 0 11336 2")
    player = parse_player(f"search:run={tiny_run},sims=4", entry)
    judged = judge(state, player)
    found = search_position(entry, state, player)
    assert list(judged.actions) == list(found.actions)
    assert judged.prior == pytest.approx(found.prior, abs=1e-6)
    assert sum(judged.values) == pytest.approx(0, abs=1e-6)


def test_searches_of_recorded_games_come_out_again(tiny_run: Path) -> None:  # noqa: F811
    """Weights, noise, keys and batches of then: all visits of all plies are those recorded."""
    replay = StoredReplay(tiny_run)
    for game in (144, 215):  # the first and the last game of the last iteration
        plies = range(0, int(replay.find(game).columns["plies"][0]), 5)
        again = search_again(replay, game, plies, "played")
        assert all(one["same_visits"] and one["same_action"] for one in again)
    others = search_again(replay, 215, range(0, 40, 5), "uniform:sims=16")
    assert not all(one["same_visits"] for one in others)
    assert all(0 <= one["moved_visits"] <= 1 for one in others)


def test_a_recorded_game_tells_every_ply(tiny_run: Path) -> None:  # noqa: F811
    replay = StoredReplay(tiny_run)
    record = replay.find(215)
    document = describe_game(replay, 215)
    assert [ply["action"] for ply in document["plies"]] == record.columns["action"].tolist()
    assert document["iteration"] == 2
    for ply in document["plies"]:
        visited = sum(edge["visits"] for edge in ply["edges"])
        assert visited == ply["simulations"] or "forced" in ply["flags"]
        if ply["edges"]:
            assert sum(edge["prior"] for edge in ply["edges"]) == pytest.approx(1, abs=0.01)
            assert sum(edge["policy"] for edge in ply["edges"]) == pytest.approx(1, abs=1e-4)
    entry = game_of_run(replay.run)
    last = state_before(entry, record, len(document["plies"]))
    assert last.kind == "terminal"
    assert last.scores().tolist() == document["scores"]
    with pytest.raises(RunError, match="has the plies 0 to"):
        describe_game(replay, 215, [400])
    with pytest.raises(RunError, match=r"keeps games from \d+ to 215"):
        replay.find(3)


def test_own_games_have_positions_too() -> None:
    entry = get_game(f"{TICTACTOE}:TicTacToe")
    state = entry.parse_position("0 3 1 4")  # X has 0 and 1, and wins on 2
    document = describe_position(entry, state, parse_player("uniform:sims=200", entry))
    assert document["search"]["action"] == 2
    assert document["search"]["edges"][0]["visits"] > 50
    assert document["search"]["edges"][0]["q"] == pytest.approx(1.0)
    assert "network" not in document
    assert len(document["legal"]) == 5


def test_positions_without_a_decision() -> None:
    entry = get_game("yatzy")
    start = describe_position(entry, entry.rules.initial())
    assert start["kind"] == "chance"
    assert start["outcomes"][0]["probability"] == pytest.approx(120 / 6**5)
    with pytest.raises(PlayerError, match="chance moves"):
        search_position(entry, entry.rules.initial(), parse_player("uniform", entry))


def test_players_without_a_tree_say_what_they_do() -> None:
    entry = get_game("yatzy")
    state = entry.parse_position("32639/0/0 28671/3/3 0 66666 0")
    greedy = describe_position(entry, state, parse_player("greedy", entry))
    assert greedy["search"]["text"] == "mark yatzy"
    assert greedy["search"]["edges"] == []
    chosen = describe_position(entry, state, parse_player("random", entry), seed=3)
    assert chosen["search"]["action"] in [one["action"] for one in chosen["legal"]]


def test_entropy_and_divergence_by_hand() -> None:
    assert entropy([0.5, 0.25, 0.25]) == pytest.approx(1.5 * math.log(2))
    assert divergence([0.5, 0.5, 0.0], [0.25, 0.25, 0.5]) == pytest.approx(math.log(2))
    assert divergence([0.2, 0.8], [0.2, 0.8]) == 0
    assert np.isfinite(divergence([1.0], [0.0]))
