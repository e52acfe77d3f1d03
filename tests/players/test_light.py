"""Players without a network need no torch; what the rooms offer is what they name."""

from __future__ import annotations

import importlib
import subprocess
import sys

import pytest

PLAYING = """
import sys
from ludus.games import get_game
from ludus.players import parse_player
from ludus.players.single import SingleGame
entry = get_game("othello")
players = [parse_player("weights", entry), parse_player("uniform:sims=2", entry)]
game = SingleGame(entry.rules, players, 1)
assert not game.advance() and len(game.columns()["action"]) > 8
print(sorted({"torch", "ludus.runs", "safetensors"} & set(sys.modules)))
"""


def test_players_without_a_network_import_neither_torch_nor_runs():
    done = subprocess.run([sys.executable, "-c", PLAYING], capture_output=True, text=True)
    assert (done.returncode, done.stdout, done.stderr) == (0, "[]\n", "")


@pytest.mark.parametrize("name", ["nets", "evaluators", "players"])
def test_a_room_offers_what_it_names(name):
    room = importlib.import_module(f"ludus.{name}")
    for offered in room.__all__:
        assert getattr(room, offered) is not None
    with pytest.raises(AttributeError, match=f"'ludus.{name}' has no attribute 'nothing'"):
        _ = room.nothing
