"""The leaf batch: what a search wants judged, and where the answer goes."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

from ludus.errors import ConfigError
from ludus.nets import GameShape

ROW_MULTIPLE = 64
"""Batches have a multiple of this many rows; others gave bits that depend on the position."""

_ALIGNMENT = 64


@dataclass(eq=False)
class LeafBatch:
    """Arrays of one group of slots and one player, lent to ``ludus._core.Slots`` by ``bind``.

    The shape never changes; rows without a leaf hold zeros. A batch belongs to one lane at a time.

    Attributes:
        observations: f32[rows, observation_size], each from the view of the seat to move.
        seats: i32[rows], the seat to move.
        players: i32[rows], the seats in play, the first ones; 0: all (and in rows without a leaf).
        legal: i32[capacity], flat ``row * num_actions + action``; the spare end holds 0.
        offsets: i32[rows + 1], the entries of a row in ``legal``; the last one is their number.
        logits: f32[capacity], the answer: raw policy logits of the entries of ``legal``.
        values: f32[rows, seats], the answer: value for every seat, in seat order, in [-1, 1]; 0
            for seats that are not in play.
        num_actions: size of the action space.
        wanted: u8[rows], 1 in rows whose answer needs a belief; None where the search asks for
            none.
        beliefs: f32[rows, belief_size], the answer in those rows: for each hidden thing a logit of
            each holder, beside the logarithm of how many things it has; None likewise.
        cache: views of these arrays that an evaluator keeps, by its own key.
    """

    observations: npt.NDArray[np.float32]
    seats: npt.NDArray[np.int32]
    players: npt.NDArray[np.int32]
    legal: npt.NDArray[np.int32]
    offsets: npt.NDArray[np.int32]
    logits: npt.NDArray[np.float32]
    values: npt.NDArray[np.float32]
    num_actions: int
    wanted: npt.NDArray[np.uint8] | None = None
    beliefs: npt.NDArray[np.float32] | None = None
    cache: dict[str, Any] = field(default_factory=dict, repr=False)

    @property
    def rows(self) -> int:
        """Rows, padding included."""
        return int(self.observations.shape[0])

    @property
    def num_seats(self) -> int:
        """Seats of the game."""
        return int(self.values.shape[1])

    @property
    def used(self) -> int:
        """Entries of ``legal`` that mean something."""
        return int(self.offsets[-1])

    @classmethod
    def allocate(
        cls, game: GameShape, rows: int, legal_capacity: int, belief_size: int = 0
    ) -> LeafBatch:
        """Make the arrays, all zero.

        Args:
            game: gives the sizes.
            rows: ``Slots.rows``, a multiple of 64.
            legal_capacity: ``Slots.legal_capacity``.
            belief_size: ``Slots.belief_size`` of the player.

        Raises:
            ConfigError: rows that are no positive multiple of 64, or no capacity.
        """
        if rows <= 0 or rows % ROW_MULTIPLE:
            raise ConfigError(f"batch rows = {rows} must be a positive multiple of {ROW_MULTIPLE}")
        if legal_capacity <= 0:
            raise ConfigError(f"legal_capacity = {legal_capacity} of a batch must be at least 1")
        batch = cls._zeros(
            rows, game.observation_size, game.num_seats, legal_capacity, game.num_actions
        )
        if belief_size:
            batch.wanted = np.zeros(rows, np.uint8)
            batch.beliefs = np.zeros((rows, belief_size), np.float32)
        return batch

    @classmethod
    def _zeros(
        cls, rows: int, inputs: int, seats: int, capacity: int, num_actions: int
    ) -> LeafBatch:
        return cls(
            observations=_aligned_zeros(rows * inputs).reshape(rows, inputs),
            seats=np.zeros(rows, np.int32),
            players=np.zeros(rows, np.int32),
            legal=np.zeros(capacity, np.int32),
            offsets=np.zeros(rows + 1, np.int32),
            logits=np.zeros(capacity, np.float32),
            values=np.zeros((rows, seats), np.float32),
            num_actions=num_actions,
        )

    def room(self, rows: int, entries: int, old: LeafBatch | None) -> LeafBatch:
        """A batch of the same game for rows of this one, see :meth:`take`.

        Args:
            rows: of the answer, a multiple of 64.
            entries: legal actions that it must have room for.
            old: an earlier answer, which is given again if it will do.
        """
        inputs = self.observations.shape[1]
        if (
            old is not None
            and old.observations.shape == (rows, inputs)
            and old.num_seats == self.num_seats
            and old.num_actions == self.num_actions
            and old.legal.size >= entries
        ):
            return old
        # Half as much again, so that a slightly larger batch does not need another.
        capacity = max(rows, entries + entries // 2)
        return self._zeros(rows, inputs, self.num_seats, capacity, self.num_actions)

    def take(self, source: LeafBatch, rows: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
        """Copy rows of another batch to the front of this one; the other rows become padding.

        Args:
            source: a batch of the same game.
            rows: which rows, i64[n]; this batch must have room for them.

        Returns:
            i64[entries]: for each used entry of this batch, its place in ``source.legal``.
        """
        count = len(rows)
        self.observations[:count] = source.observations[rows]
        self.observations[count:] = 0.0
        self.seats[:count] = source.seats[rows]
        self.seats[count:] = 0
        self.players[:count] = source.players[rows]
        self.players[count:] = 0
        begin = source.offsets[rows].astype(np.int64)
        entries = source.offsets[rows + 1] - begin
        self.offsets[1 : count + 1] = np.cumsum(entries)
        self.offsets[count + 1 :] = self.offsets[count]
        used = self.used
        places = np.repeat(begin - self.offsets[:count], entries) + np.arange(used)
        moved = np.repeat((np.arange(count) - rows) * self.num_actions, entries)
        self.legal[:used] = source.legal[places] + moved
        self.legal[used:] = 0
        return places


def _aligned_zeros(count: int) -> npt.NDArray[np.float32]:
    """f32[count] that begins at a multiple of 64 bytes, where vector loads are fastest."""
    raw = np.zeros(count * 4 + _ALIGNMENT, np.uint8)
    begin = -raw.ctypes.data % _ALIGNMENT
    return raw[begin : begin + count * 4].view(np.float32)
