"""Small parts one by one: positions across the border, records to bytes and back, training rows.

Calls for one position at a time pay for the border each time; their rival is the cheapest call that
there is. What works on many at once stands beside copying or hashing the same bytes.
"""

from __future__ import annotations

import hashlib
import random
from collections.abc import Callable
from typing import Any

import numpy as np

from ludus import _core
from ludus.measure import Figure, in_turns
from ludus.replay import GameRecords, ReplaySchema, decode_shard, encode_shard
from ludus.testing.evaluators import random_decision

POSITIONS = 256
SHARD_GAMES = 256


def _records(game: _core.Game, games: int) -> GameRecords:
    """Searched games, as self-play would record them."""
    settings = {"rule": "gumbel", "simulations": [16]}
    slots = _core.Slots(
        game, slots=games, group_size=games, seed=1, players=[settings], record=True
    )
    ids = np.arange(games)
    slots.schedule(ids, ids.astype(np.uint64), np.zeros((games, game.num_seats), np.int8))
    while slots.busy(0):
        slots.run_uniform(1_000_000)
    return GameRecords(slots.finished())


def _calls(states: list[Any], call: Callable[[Any], object], repeats: int) -> Callable[[], float]:
    def work() -> float:
        for _ in range(repeats):
            for state in states:
                call(state)
        return float(repeats * len(states))

    return work


def _positions(game: _core.Game, quick: bool) -> list[Figure]:
    states = [random_decision(game, random.Random(seed)) for seed in range(POSITIONS)]
    repeats = 20 if quick else 100
    cheapest = ("reading the seat", _calls(states, lambda state: state.seat, repeats))

    def apply(state: Any) -> None:
        after = state.copy()
        after.apply(state.canonical(int(state.search_actions()[0])))

    figures = [
        in_turns(
            f"{game.name}: {title}, one at a time",
            "calls/s",
            _calls(states, call, repeats),
            against=cheapest,
            quick=quick,
        )
        for title, call in (
            ("legal actions", lambda state: state.legal()),
            ("search actions", lambda state: state.search_actions()),
            ("scores", lambda state: state.scores()),
            ("observation", lambda state: state.observe(state.seat)),
            ("copy", lambda state: state.copy()),
            ("copy and apply", apply),
        )
    ]
    packed = np.frombuffer(b"".join(state.packed() for state in states), np.uint8)
    packed = packed.reshape(POSITIONS, game.state_size)
    observations = game.observe(packed)

    def many() -> float:
        for _ in range(repeats):
            game.observe(packed)
        return float(repeats * POSITIONS)

    def copies() -> float:
        for _ in range(repeats):
            observations.copy()
        return float(repeats * POSITIONS)

    title = f"{game.name}: observations, {POSITIONS} at once"
    rival = ("copying them", copies)
    figures.append(in_turns(title, "positions/s", many, against=rival, quick=quick))
    return figures


def _shards(game: _core.Game, quick: bool) -> list[Figure]:
    records = _records(game, SHARD_GAMES)
    schema = ReplaySchema.of(game, c_visit=50.0, c_scale=1.0, q_spread=0.2)
    entry, data, meta = encode_shard(schema, 0, records)
    repeats = 5 if quick else 20
    megabytes = repeats * len(data) / 1e6

    def encode() -> float:
        for _ in range(repeats):
            encode_shard(schema, 0, records)
        return megabytes

    def decode() -> float:
        for _ in range(repeats):
            decode_shard(schema, entry, data, meta)
        return megabytes

    def digest() -> float:
        for _ in range(repeats):
            hashlib.sha256(data).digest()
        return megabytes

    figures = [
        in_turns(
            f"{game.name}: {title} a shard of {SHARD_GAMES} games",
            "MB/s",
            work,
            against=("hashing it", digest),
            quick=quick,
        )
        for title, work in (("encoding", encode), ("decoding", decode))
    ]
    for figure in figures:
        figure.extra["bytes_per_decision"] = round(len(data) / records.samples, 1)
    figures.append(_rows(game, records, quick))
    return figures


def _rows(game: _core.Game, records: GameRecords, quick: bool) -> Figure:
    decoder = _core.RowDecoder(game, records.columns)
    lengths = records.columns["plies"]
    games = np.repeat(np.arange(len(records)), 2).astype(np.int64)
    plies = np.stack([lengths // 3, lengths // 2], axis=1).reshape(-1).astype(np.int32)
    repeats = 10 if quick else 50
    rows = decoder.rows(games, plies)

    def work() -> float:
        for _ in range(repeats):
            decoder.rows(games, plies)
        return float(repeats * len(games))

    def copies() -> float:
        for _ in range(repeats):
            for array in rows.values():
                array.copy()
        return float(repeats * len(games))

    title = f"{game.name}: training rows, 2 of each of {len(records)} games"
    return in_turns(title, "rows/s", work, against=("copying them", copies), quick=quick)


def measure(quick: bool) -> list[Figure]:
    """Calls, positions, megabytes and rows a second."""
    game = _core.game("yatzy")
    return _positions(game, quick) + _shards(game, quick)
