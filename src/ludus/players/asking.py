"""One searching player at one group of slots: its leaves go out, its answers come back."""

from __future__ import annotations

import time

from ludus import _core
from ludus.errors import ConfigError
from ludus.evaluators import Evaluator, LeafBatch, UniformEvaluator, check_values
from ludus.evaluators.base import NO_BELIEF
from ludus.nets import GameShape
from ludus.players.player import SearchPlayer


class Asking:
    """The arrays of a group and a player, bound to the slots, and the calls of a turn.

    A :class:`ludus.evaluators.UniformEvaluator` looks at nothing and answers alike: for it nothing
    is encoded, listed or carried over, and the slots answer themselves.

    Attributes:
        stage: what a turn is in: ``search`` (in the slots) or ``evaluator``.
    """

    def __init__(
        self, slots: _core.Slots, game: GameShape, group: int, index: int, player: SearchPlayer
    ) -> None:
        """Lend the arrays.

        Args:
            slots: the games.
            game: gives the sizes.
            group: of the slots.
            index: of the player in the slots.
            player: who answers.

        Raises:
            ConfigError: the search asks for beliefs, which the evaluator does not give.
        """
        self._slots, self._group, self._index = slots, group, index
        self._evaluator = player.evaluator
        self._batch: LeafBatch | None = None
        self._trusted = bool(getattr(_innermost(player.evaluator), "bounded", False))
        self.stage = "search"
        belief_size = slots.belief_size(index)
        if belief_size and not getattr(player.evaluator, "belief_size", 0):
            raise ConfigError(f"player {player.name}: {NO_BELIEF}")
        if isinstance(player.evaluator, UniformEvaluator):
            slots.bind(group, index)
            return
        batch = self._batch = LeafBatch.allocate(
            game, slots.rows, slots.legal_capacity, belief_size
        )
        slots.bind(
            group,
            index,
            batch.observations,
            batch.seats,
            batch.legal,
            batch.offsets,
            batch.players,
            batch.wanted,
            batch.beliefs,
        )

    def turn(self) -> tuple[int, float]:
        """Ask once; returns the leaves that were answered and the seconds in the evaluator.

        Raises:
            NumericsError: a value is not finite or outside [-1, 1]; nothing was backed up.
        """
        self.stage = "search"
        rows = self._slots.collect(self._group, self._index)
        if rows == 0:
            return 0, 0.0
        if self._batch is None:
            self._slots.supply_uniform(self._group, self._index)
            return rows, 0.0
        self.stage = "evaluator"
        start = time.perf_counter()
        self._evaluator.evaluate(self._batch)
        seconds = time.perf_counter() - start
        if not self._trusted:
            check_values(self._batch, self._evaluator.weights_id)
        self.stage = "search"
        self._slots.supply(self._group, self._index, self._batch.logits, self._batch.values)
        return rows, seconds


def _innermost(evaluator: Evaluator) -> object:
    """What answers in the end, below wrappers that only time, split or remember."""
    found: object = evaluator
    while (inner := getattr(found, "inner", None)) is not None:
        found = inner
    return found
