"""What the tests of own games share: whole games through lanes."""

from __future__ import annotations

import numpy as np

from ludus import _core
from ludus.evaluators import ScriptedEvaluator
from ludus.games.own import make_entry
from ludus.players import Lanes, SearchPlayer, slots_settings


def rules_of(game):
    return make_entry(game() if isinstance(game, type) else game, "tests").rules


def play(rules, players, games, *, lanes=1, slots=128, group=64, seed=3, seats=None, turns=None):
    """Whole games through lanes; the records, and the slots."""
    board = _core.Slots(
        rules,
        slots=slots,
        group_size=group,
        seed=seed,
        players=[slots_settings(player) for player in players],
    )
    ids = np.arange(games)
    if seats is None:
        seats = (ids[:, None] + np.arange(rules.num_seats)) % len(players)
    board.schedule(
        ids,
        np.array([_core.derive_seed(seed, "episode", int(i)) for i in ids], np.uint64),
        np.asarray(seats, np.int8),
    )
    with Lanes(board, players, rules, lanes) as driver:
        while driver.advance(0.05):
            if turns is not None:
                turns(board)
    return board.finished(), board


def _even(batch):
    batch.logits.fill(0.0)
    batch.values.fill(0.0)


def searcher(simulations=32, **settings):
    """Finds all alike, as UniformEvaluator does, but wants to see the positions."""
    return SearchPlayer(ScriptedEvaluator(_even), {"simulations": [simulations], **settings})


def same(one, other):
    return all(np.array_equal(one[name], other[name]) for name in one)
