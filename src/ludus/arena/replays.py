"""Positions from game records: played again by the rules, nothing of them is stored."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from ludus import _core
from ludus.arena.finished import Columns


@dataclass(frozen=True)
class DecisionRows:
    """Decisions of one player, in order of game and ply.

    Attributes:
        states: packed states before the action, ``u8[n, state_size]``.
        actions: what was played, ``i32[n]``.
        games: index of the game in the columns, ``i64[n]``.
        kinds: kind of decision, ``i32[n]``.
    """

    states: npt.NDArray[np.uint8]
    actions: npt.NDArray[np.int32]
    games: npt.NDArray[np.int64]
    kinds: npt.NDArray[np.int32]


def _begin(game: _core.Game, opening: int) -> _core.State:
    state = game.initial()
    if opening >= 0:
        state.apply_outcome(opening)
    return state


def decisions_of(game: _core.Game, columns: Columns, *, player: int) -> DecisionRows:
    """All decisions that a player had in finished games.

    Args:
        game: the rules.
        columns: the records.
        player: number of the player in ``seat_players``.
    """
    actions, outcomes = columns["action"].tolist(), columns["outcome"].tolist()
    states: list[bytes] = []
    rows: list[tuple[int, int, int]] = []
    ply = 0
    for number, plies in enumerate(columns["plies"].tolist()):
        seat_players = columns["seat_players"][number]
        state = _begin(game, int(columns["opening"][number]))
        for action, outcome in zip(
            actions[ply : ply + plies], outcomes[ply : ply + plies], strict=True
        ):
            if seat_players[state.seat] == player:
                states.append(state.packed())
                rows.append((action, number, state.decision_kind))
            state.apply(action)
            if outcome >= 0:
                state.apply_outcome(outcome)
        ply += plies
    packed = np.frombuffer(b"".join(states), dtype=np.uint8).reshape(-1, game.state_size)
    table = np.array(rows, dtype=np.int64).reshape(-1, 3)
    return DecisionRows(
        packed, table[:, 0].astype(np.int32), table[:, 1], table[:, 2].astype(np.int32)
    )


def final_states(game: _core.Game, columns: Columns) -> npt.NDArray[np.uint8]:
    """The last state of each finished game, packed, ``u8[n, state_size]``."""
    actions, outcomes = columns["action"].tolist(), columns["outcome"].tolist()
    out = np.zeros((len(columns["plies"]), game.state_size), dtype=np.uint8)
    ply = 0
    for number, plies in enumerate(columns["plies"].tolist()):
        state = _begin(game, int(columns["opening"][number]))
        for i in range(ply, ply + plies):
            state.apply(actions[i])
            if outcomes[i] >= 0:
                state.apply_outcome(outcomes[i])
        out[number] = np.frombuffer(state.packed(), dtype=np.uint8)
        ply += plies
    return out


def stages_of(
    game: _core.Game, columns: Columns
) -> tuple[npt.NDArray[np.int32], npt.NDArray[np.int32]]:
    """How many stages each finished game had, and how many of them each seat won.

    A stage ends at a sampled chance event and at the end of the game; a game without sampled chance
    is one. A seat has won it whose margin there is above 0 (Blob: a round, and a bid made).

    Returns: stages ``i32[n]``; stages won ``i32[n, num_seats]``.
    """
    actions, outcomes = columns["action"].tolist(), columns["outcome"].tolist()
    games = len(columns["plies"])
    stages = np.ones(games, dtype=np.int32)
    won = np.zeros((games, game.num_seats), dtype=np.int32)
    ply = 0
    for number, plies in enumerate(columns["plies"].tolist()):
        state = _begin(game, int(columns["opening"][number]))
        for i in range(ply, ply + plies):
            state.apply(actions[i])
            if outcomes[i] >= 0:
                if game.sampled_chance:
                    stages[number] += 1
                    won[number] += state.stage_margins() > 0.0
                state.apply_outcome(outcomes[i])
        won[number] += state.stage_margins() > 0.0
        ply += plies
    return stages, won
