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


@dataclass(eq=False)
class LeafBatch:
    """Arrays of one group of slots and one player, lent to ``ludus._core.Slots`` by ``bind``.

    The shape never changes; rows without a leaf hold zeros. A batch belongs to one lane at a time.

    Attributes:
        observations: f32[rows, observation_size], each from the view of the seat to move.
        seats: i32[rows], the seat to move.
        legal: i32[capacity], flat ``row * num_actions + action``; the spare end holds 0.
        offsets: i32[rows + 1], the entries of a row in ``legal``; the last one is their number.
        logits: f32[capacity], the answer: raw policy logits of the entries of ``legal``.
        values: f32[rows, seats], the answer: value for every seat, in seat order, in [-1, 1].
        num_actions: size of the action space.
        cache: views of these arrays that an evaluator keeps, by its own key.
    """

    observations: npt.NDArray[np.float32]
    seats: npt.NDArray[np.int32]
    legal: npt.NDArray[np.int32]
    offsets: npt.NDArray[np.int32]
    logits: npt.NDArray[np.float32]
    values: npt.NDArray[np.float32]
    num_actions: int
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
    def allocate(cls, game: GameShape, rows: int, legal_capacity: int) -> LeafBatch:
        """Make the arrays, all zero.

        Args:
            game: gives the sizes.
            rows: ``Slots.rows``, a multiple of 64.
            legal_capacity: ``Slots.legal_capacity``.

        Raises:
            ConfigError: rows that are no positive multiple of 64, or no capacity.
        """
        if rows <= 0 or rows % ROW_MULTIPLE:
            raise ConfigError(f"batch rows = {rows} must be a positive multiple of {ROW_MULTIPLE}")
        if legal_capacity <= 0:
            raise ConfigError(f"legal_capacity = {legal_capacity} of a batch must be at least 1")
        return cls(
            observations=np.zeros((rows, game.observation_size), np.float32),
            seats=np.zeros(rows, np.int32),
            legal=np.zeros(legal_capacity, np.int32),
            offsets=np.zeros(rows + 1, np.int32),
            logits=np.zeros(legal_capacity, np.float32),
            values=np.zeros((rows, game.num_seats), np.float32),
            num_actions=game.num_actions,
        )
