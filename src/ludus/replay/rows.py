"""Training rows: what an update learns from, the arrays that hold it, and what must hold for it."""

from __future__ import annotations

import math
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from ludus import _core
from ludus.errors import NumericsError

_ALIGNMENT = 64
"""Bytes: matrix products choose their path by the alignment of what they read."""


def _nothing() -> npt.NDArray[np.uint8]:
    return np.zeros((0, 0), np.uint8)


@dataclass(frozen=True, eq=False)
class TrainingRows:
    """Rows for one update, derived from game records by the encoder.

    Attributes:
        observations: f32[n, observation_size], mover's view.
        legal: i32[k], flat ``row * num_actions + action`` over the search's legal actions.
        offsets: i32[n + 1], the entries of a row in ``legal`` and ``policy``.
        policy: f32[k], target; sums to 1 over each row.
        value: f32[n], return of the mover, in [-1, 1]; with more than two seats f32[n, seats],
            column k of a row that of seat (mover + k) mod players, 0 behind. Where a game has
            stages (rounds of cards), of the row's stage.
        margin: of the shape of ``value``: tanh of the final margin in points over the game's
            scale, or what the stage has as its margin.
        players: i32[n], seats in play.
        root_value: f32[n], value that the search found, mover's view; its ``value`` where none
            ran.
        searched: u8[n], 0 where ``policy`` is uniform and must not be learned: no search ran, or
            one on the small budget of the playout cap.
        holder: u8[n, things], who held each hidden thing, as the mover counts holders: seats to its
            left, last nobody; ``_core.NOT_HIDDEN``: the mover saw it, or the row is seen with
            nothing hidden. Empty, as are the next two, unless a belief is to be learned.
        possible: u8[n, things], bit k: holder k could have held it by all that everybody saw.
        held: u8[n, holders], how many hidden things each holder had.
    """

    observations: npt.NDArray[np.float32]
    legal: npt.NDArray[np.int32]
    offsets: npt.NDArray[np.int32]
    policy: npt.NDArray[np.float32]
    value: npt.NDArray[np.float32]
    margin: npt.NDArray[np.float32]
    players: npt.NDArray[np.int32]
    root_value: npt.NDArray[np.float32]
    searched: npt.NDArray[np.uint8]
    holder: npt.NDArray[np.uint8] = field(default_factory=_nothing)
    possible: npt.NDArray[np.uint8] = field(default_factory=_nothing)
    held: npt.NDArray[np.uint8] = field(default_factory=_nothing)

    def __len__(self) -> int:
        """Number of rows."""
        return len(self.value)


def _aligned(shape: tuple[int, ...], kind: type[np.generic]) -> npt.NDArray[Any]:
    """An array whose first byte has the same alignment in every process."""
    count = math.prod(shape) * np.dtype(kind).itemsize
    room = np.zeros(count + _ALIGNMENT, np.uint8)
    skip = -room.ctypes.data % _ALIGNMENT
    return room[skip : skip + count].view(kind).reshape(shape)


def row_buffers(game: _core.Game, count: int, *, beliefs: bool = False) -> TrainingRows:
    """Room for rows of a game, to be filled again and again.

    Args:
        game: gives the sizes.
        count: rows; ``legal`` and ``policy`` have as many entries as these can need at most.
        beliefs: with room for who holds what is hidden.
    """
    values = (count, game.num_seats) if game.num_seats > 2 else (count,)
    things = game.belief_size // _core.HOLDERS
    hidden = {
        name: _aligned((count, width), np.uint8)
        for name, width in (("holder", things), ("possible", things), ("held", _core.HOLDERS))
        if beliefs
    }
    return TrainingRows(
        observations=_aligned((count, game.observation_size), np.float32),
        legal=_aligned((count * game.max_legal,), np.int32),
        offsets=_aligned((count + 1,), np.int32),
        policy=_aligned((count * game.max_legal,), np.float32),
        value=_aligned(values, np.float32),
        margin=_aligned(values, np.float32),
        players=_aligned((count,), np.int32),
        root_value=_aligned((count,), np.float32),
        searched=_aligned((count,), np.uint8),
        **hidden,
    )


def fill_rows(
    decoder: _core.RowDecoder,
    games: npt.NDArray[np.int64],
    plies: npt.NDArray[np.int32],
    into: TrainingRows,
) -> TrainingRows:
    """Decode into buffers; the answer is a view of them, valid until they are filled again.

    Args:
        decoder: over the window's columns.
        games: i64[n], positions in the window.
        plies: i32[n].
        into: as of :func:`row_buffers` for n rows.

    Raises:
        ValueError: a record that contradicts the rules, or buffers that are too small.
    """
    entries = decoder.fill(games, plies, dict(vars(into)))
    return replace(into, legal=into.legal[:entries], policy=into.policy[:entries])


def audit_rows(rows: TrainingRows, num_actions: int) -> dict[str, int]:
    """Check what must hold for every training row (decisions 13).

    Args:
        rows: as of :meth:`ReplaySampler.rows`.
        num_actions: size of the action space.

    Returns:
        Counts: rows, searched, entries.

    Raises:
        NumericsError: a number that is not finite or out of range, a policy that does not sum to
            1 or has weight outside its own row's legal actions; the sentence names the row.
    """
    count = len(rows)

    def refuse(bad: Any, what: str) -> None:
        if bad.any():
            row = int(np.argmax(bad))
            place = "observation" if "observation" in what else "target"
            raise NumericsError(f"training row {row} of {count} {what}", place=place, row=row)

    lengths = np.diff(rows.offsets)
    if rows.offsets[0] != 0 or rows.offsets[-1] != len(rows.policy):
        raise NumericsError("training rows: the offsets do not cover the policy")
    refuse(lengths <= 0, "has no legal action")
    refuse(~np.isfinite(rows.observations).all(1), "has an observation that is not finite")
    owner = np.repeat(np.arange(count), lengths)
    outside = np.zeros(count, bool)
    outside[owner[rows.legal // num_actions != owner]] = True
    refuse(outside, "has policy weight outside its own actions")
    bad = np.zeros(count, bool)
    bad[owner[~(rows.policy >= 0)]] = True
    refuse(bad, "has a policy weight that is negative or no number")
    sums = np.add.reduceat(rows.policy.astype(np.float64), rows.offsets[:-1])
    refuse(~(np.abs(sums - 1.0) < 1e-4), "has a policy that does not sum to 1")
    for name, target in (
        ("value", rows.value),
        ("margin", rows.margin),
        ("root value", rows.root_value),
    ):
        bad = ~(np.abs(target) <= 1.0)
        refuse(bad.any(1) if bad.ndim == 2 else bad, f"has a {name} outside [-1, 1]")
    return {
        "rows": count,
        "searched": int(np.count_nonzero(rows.searched)),
        "entries": len(rows.policy),
    }
