"""What every player must do, checked by letting it play."""

from __future__ import annotations

import random

import numpy as np

from ludus import _core
from ludus.errors import UserError
from ludus.players.lanes import Lanes
from ludus.players.player import Chooser, ExternalPlayer, Player, RandomPlayer, slots_settings
from ludus.testing.evaluators import random_decision
from ludus.testing.say import require


def check_chooser(choose: Chooser, game: _core.Game, *, states: int = 64, seed: int = 0) -> None:
    """Give a batch of positions to a player without a tree and check its actions.

    One int32 action for each position, all legal, the same again for the same keys, and not
    dependent on which other positions are in the batch.

    Raises:
        AssertionError: a sentence that says what is wrong.
    """
    name, where = getattr(choose, "__name__", type(choose).__name__), f"{states} positions"
    positions = [random_decision(game, random.Random(f"{seed}/{i}")) for i in range(states)]
    packed = np.array([list(p.packed()) for p in positions], np.uint8)
    keys = np.array([_core.derive_seed(seed, "player", i) for i in range(states)], np.uint64)
    before = packed.copy()
    actions = np.asarray(choose(packed, keys))
    require(
        name,
        where,
        actions.shape == (states,) and np.issubdtype(actions.dtype, np.integer),
        f"the answer is {actions.dtype}{list(actions.shape)}, not one integer for each position",
    )
    require(name, where, np.array_equal(packed, before), "the positions it was given were changed")
    for position, action in zip(positions, actions.tolist(), strict=True):
        legal = position.legal().tolist()
        require(name, where, action in legal, f"action {action} is illegal; legal are {legal}")
    again = np.asarray(choose(packed, keys))
    require(name, where, np.array_equal(actions, again), "the same keys gave other actions")
    some = slice(None, None, 3)
    fewer = np.asarray(choose(np.ascontiguousarray(packed[some]), keys[some].copy()))
    require(
        name,
        where,
        np.array_equal(actions[some], fewer),
        "an action depends on the other positions of the batch",
    )
    empty = np.asarray(choose(packed[:0], keys[:0]))
    require(name, where, len(empty) == 0, "no positions must give no actions")


def check_player(player: Player, game: _core.Game, *, games: int = 64, seed: int = 0) -> None:
    """Let a player meet a random one in whole games, twice, with one lane and with two.

    All games end, all actions are legal, and the records are equal to the bit.

    Raises:
        AssertionError: a sentence that says what is wrong.
    """
    if isinstance(player, ExternalPlayer):
        check_chooser(player.choose, game, seed=seed)
    one = _records(player, game, games, seed, lanes=1)
    two = _records(player, game, games, seed, lanes=2)
    require(player, "games", len(one["game_id"]) == games, "some games never ended")
    for column in one:
        same = np.array_equal(one[column], two[column], equal_nan=False)
        require(player, "games", same, f"column {column} of the records changes with the lanes")


def _records(
    player: Player, game: _core.Game, games: int, seed: int, lanes: int
) -> dict[str, np.ndarray]:
    players: list[Player] = [player, RandomPlayer()]
    slots = _core.Slots(
        game,
        slots=128,
        group_size=64,
        seed=seed,
        players=[slots_settings(p) for p in players],
        record=True,
    )
    seats = np.arange(games)[:, None] + np.arange(game.num_seats)[None, :]
    slots.schedule(
        np.arange(games, dtype=np.int64),
        np.array([_core.derive_seed(seed, "episode", i) for i in range(games)], np.uint64),
        (seats % 2).astype(np.int8),
    )
    with Lanes(slots, players, game, lanes) as driver:
        try:
            while driver.advance(1.0):
                pass
        except UserError as error:
            raise AssertionError(f"{player.name}, games: {error}") from error
    found: dict[str, np.ndarray] = slots.finished()
    return found
