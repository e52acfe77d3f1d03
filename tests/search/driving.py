"""What the tests of search and slots share: driving slots by hand, positions, a scripted judge."""

from __future__ import annotations

import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from ludus import _core
from ludus.evaluators import LeafBatch

GAME = _core.game("yatzy")
SEARCH: dict[str, Any] = {
    "kind": "search",
    "rule": "puct",
    "simulations": [32],
    "temperature": [0.0],
    "forced_fast_path": True,
}

# observation of the seat to move -> logits of all actions; value of the seat to move, or of it and
# of the other seat, or of all seats from it on
Judge = Callable[[np.ndarray], tuple[np.ndarray, float | tuple[float, float] | np.ndarray]]


class LinearJudge:
    """Fixed random weights over the observation: sharp enough to make uneven trees.

    Rows are judged one by one with the same instructions, so the bits of an answer do not depend on
    the batch it came in.
    """

    def __init__(self, seed: int = 1, sharpness: float = 0.7, value_scale: float = 0.5) -> None:
        stream = np.random.Generator(np.random.PCG64(seed))
        self.policy = stream.normal(0, sharpness, (GAME.num_actions, GAME.observation_size))
        self.value = stream.normal(0, value_scale, GAME.observation_size)

    def __call__(self, observation: np.ndarray) -> tuple[np.ndarray, float]:
        wide = observation.astype(np.float64)
        logits = (self.policy * wide).sum(axis=1).astype(np.float32)
        return logits, float(np.tanh((self.value * wide).sum()))


class TableJudge:
    """Answers out of a small table, by a checksum of the observation: cheap and uneven."""

    def __init__(self, seed: int = 1) -> None:
        stream = np.random.Generator(np.random.PCG64(seed))
        self.logits = stream.normal(0, 1.5, (251, GAME.num_actions)).astype(np.float32)
        self.values = np.tanh(stream.normal(0, 0.7, 251)).tolist()

    def __call__(self, observation: np.ndarray) -> tuple[np.ndarray, float]:
        row = zlib.crc32(observation.tobytes()) % 251
        return self.logits[row], self.values[row]


def uniform_judge(observation: np.ndarray) -> tuple[np.ndarray, float]:
    return np.zeros(GAME.num_actions, np.float32), 0.0


def fill(batch: LeafBatch, judge: Judge) -> None:
    """Answers a batch row by row; a single value is the mover's, the other seat's its negative.

    A judge that is asked for beliefs has a method ``belief`` of an observation."""
    batch.values.fill(0.0)
    if batch.beliefs is not None:
        batch.beliefs.fill(np.nan)  # nobody may look where nothing was asked
        for row in np.flatnonzero(batch.wanted).tolist():
            batch.beliefs[row] = judge.belief(batch.observations[row])
    for row in np.flatnonzero(np.diff(batch.offsets)).tolist():
        begin, end = int(batch.offsets[row]), int(batch.offsets[row + 1])
        logits, value = judge(batch.observations[row])
        batch.logits[begin:end] = logits[batch.legal[begin:end] - row * batch.num_actions]
        seat = int(batch.seats[row])
        if isinstance(value, np.ndarray):  # of all seats, mover first
            players = int(batch.players[row]) or batch.num_seats
            batch.values[row, (seat + np.arange(players)) % players] = value[:players]
            continue
        mine, other = value if isinstance(value, tuple) else (value, -value)
        batch.values[row, seat] = mine
        batch.values[row, 1 - seat] = other


@dataclass(frozen=True)
class Seen:
    """What an observation says, read back by the layout of the encoder yatzy_v1."""

    dice: tuple[int, ...]
    rerolls: int
    free: tuple[int, int]  # masks, mover first
    upper: tuple[int, int]
    total: tuple[int, int]
    seat: int

    @classmethod
    def of(cls, observation: np.ndarray) -> Seen:
        counts = observation[:30].reshape(6, 5).sum(axis=1).astype(int)
        masks = [int("".join(str(int(x)) for x in observation[i : i + 15]), 2) for i in (33, 48)]
        return cls(
            tuple(face for face in range(1, 7) for _ in range(counts[face - 1])),
            int(np.argmax(observation[30:33])),
            (masks[0], masks[1]),
            (round(float(observation[78]) * 63), round(float(observation[82]) * 63)),
            (round(float(observation[86]) * 300), round(float(observation[87]) * 300)),
            int(observation[94]),
        )


@dataclass
class Drive:
    """Slots with the arrays of each (group, player) and one judge for each player."""

    players: list[dict[str, Any]]
    judges: list[Judge]
    slots_count: int = 64
    group_size: int = 64
    seed: int = 1
    game: _core.Game = field(default_factory=lambda: GAME)
    record: bool = True

    def __post_init__(self) -> None:
        self.slots = _core.Slots(
            self.game,
            slots=self.slots_count,
            group_size=self.group_size,
            seed=self.seed,
            players=self.players,
            record=self.record,
        )
        self.batches: dict[tuple[int, int], LeafBatch] = {}
        for group in range(self.slots.groups):
            for player, settings in enumerate(self.players):
                if settings.get("kind", "search") != "search":
                    continue
                batch = LeafBatch.allocate(
                    self.game,
                    self.slots.rows,
                    self.slots.legal_capacity,
                    self.slots.belief_size(player),
                )
                self.slots.bind(
                    group,
                    player,
                    batch.observations,
                    batch.seats,
                    batch.legal,
                    batch.offsets,
                    batch.players,
                    batch.wanted,
                    batch.beliefs,
                )
                self.batches[group, player] = batch

    def schedule(self, seeds: list[int], seats: list[tuple[int, int]], first: int = 0) -> None:
        self.slots.schedule(
            np.arange(first, first + len(seeds), dtype=np.int64),
            np.array(seeds, np.uint64),
            np.array(seats, np.int8).reshape(len(seeds), self.game.num_seats),
        )

    def turn(self, group: int) -> int:
        """One turn of a group; returns the rows that were judged."""
        rows = 0
        for player, settings in enumerate(self.players):
            if settings.get("kind", "search") == "search":
                count = self.slots.collect(group, player)
                if count:
                    batch = self.batches[group, player]
                    fill(batch, self.judges[player])
                    self.slots.supply(group, player, batch.logits, batch.values)
                    rows += count
            else:
                self.slots.decisions(group, player)  # lets random players move
        return rows

    def play(
        self, turns: int | None = None, order: Callable[[int], list[int]] | None = None
    ) -> None:
        """All groups until the games end, or for some turns; `order` permutes the groups."""
        made = 0
        while any(self.slots.busy(group) for group in range(self.slots.groups)):
            groups = list(range(self.slots.groups)) if order is None else order(made)
            for group in groups:
                self.turn(group)
            made += 1
            if turns is not None and made >= turns:
                return


# ---- positions and records --------------------------------------------------


def random_games(count: int, seed: int = 5) -> dict[str, np.ndarray]:
    """Finished games of two random players, whose prefixes serve as positions."""
    drive = Drive([{"kind": "random"}], [uniform_judge], seed=seed)
    seeds = [_core.derive_seed(seed, "episode", i) for i in range(count)]
    drive.schedule(seeds, [(0, 0)] * count)
    drive.play()
    return drive.slots.finished()


def random_games_of(spec: str, count: int, seed: int) -> dict[str, np.ndarray]:
    """The same of any game, in seats that a search takes over later."""
    game = _core.game(spec)
    drive = Drive([{"kind": "random"}], [uniform_judge], seed=seed, game=game)
    seeds = [_core.derive_seed(seed, "episode", i) for i in range(count)]
    drive.schedule(seeds, [(0,) * game.num_seats] * count)
    drive.play()
    return drive.slots.finished()


def truncated(records: dict[str, np.ndarray], plies: list[int]) -> dict[str, np.ndarray]:
    """The first plies[g] plies of each game, as games in flight. Only for games without edges."""
    assert len(records["visits"]) == 0
    offsets = np.concatenate([[0], np.cumsum(records["plies"])])
    rows = np.concatenate(
        [np.arange(offsets[g], offsets[g] + n) for g, n in enumerate(plies)]
    ).astype(np.int64)
    games = len(records["plies"])
    out = {}
    for name, column in records.items():
        if len(column) == games and name in GAME_COLUMNS:
            out[name] = column.copy()
        elif name in ("visits", "q", "prior"):
            out[name] = column
        else:
            out[name] = np.ascontiguousarray(column[rows])
    out["plies"] = np.array(plies, np.int32)
    out["returns"][:] = 0
    out["scores"][:] = 0
    return out


GAME_COLUMNS = ("game_id", "seed", "plies", "opening", "returns", "scores", "seat_players")


def plies_left(records: dict[str, np.ndarray], marks_left: int, rerolls: int | None) -> list[int]:
    """For each game the ply at which that many marks are still to be made, the mover having
    `rerolls` left; without such a decision the game's last ply."""
    offsets = np.concatenate([[0], np.cumsum(records["plies"])])
    cuts = []
    for g, total in enumerate(records["plies"].tolist()):
        actions = records["action"][offsets[g] : offsets[g + 1]].tolist()
        cut, left, used = total - 1, 30, 0
        for ply, action in enumerate(actions):
            if left == marks_left and (rerolls is None or 2 - used == rerolls):
                cut = ply
                break
            if action >= 32:
                left, used = left - 1, 0
            else:
                used += 1
        cuts.append(cut)
    return cuts


@dataclass
class Decision:
    """One ply of a record with the position before it."""

    game: int
    ply: int
    state: _core.State
    action: int
    flags: int
    root_value: float
    q_variance: float
    visits: np.ndarray
    q: np.ndarray
    prior: np.ndarray


def replay(records: dict[str, np.ndarray], game: _core.Game = GAME) -> Iterator[Decision]:
    """All plies of all games in order, positions rebuilt from actions and outcomes."""
    ply_row = edge_row = 0
    for g, plies in enumerate(records["plies"].tolist()):
        state = game.initial()
        if records["opening"][g] >= 0:
            state.apply_outcome(int(records["opening"][g]))
        for ply in range(plies):
            edges = int(records["edges"][ply_row])
            span = slice(edge_row, edge_row + edges)
            yield Decision(
                int(records["game_id"][g]),
                ply,
                state.copy(),
                int(records["action"][ply_row]),
                int(records["flags"][ply_row]),
                float(records["root_value"][ply_row]),
                float(records["q_variance"][ply_row]),
                records["visits"][span].astype(int),
                records["q"][span].astype(float),
                records["prior"][span].astype(float),
            )
            state.apply(int(records["action"][ply_row]))
            if records["outcome"][ply_row] >= 0:
                state.apply_outcome(int(records["outcome"][ply_row]))
            ply_row += 1
            edge_row += edges


def same_records(one: dict[str, np.ndarray], other: dict[str, np.ndarray]) -> bool:
    """Equal to the bit, column by column."""
    return one.keys() == other.keys() and all(
        one[name].dtype == other[name].dtype
        and one[name].shape == other[name].shape
        and one[name].tobytes() == other[name].tobytes()
        for name in one
    )


def joined(*parts: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    """Records one after the other; the games must come in ascending order of id."""
    out = {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}
    assert (np.diff(out["game_id"]) > 0).all()
    return out
