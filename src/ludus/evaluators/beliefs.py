"""What a network believes of who holds what is hidden, for the few rows of a batch that ask.

A search asks at its decisions alone, one leaf in as many as it has simulations. So the belief head
is no part of what runs for every leaf: the rows that ask are gathered into a batch of one fixed
shape, and the trunk runs for them once more.
"""

from __future__ import annotations

import numpy as np

from ludus.errors import ConfigError, NumericsError
from ludus.evaluators.backends.base import Runner
from ludus.evaluators.backends.torch_cpu import compile_belief
from ludus.evaluators.batch import ROW_MULTIPLE, LeafBatch
from ludus.nets import Network, Weights


class Beliefs:
    """The belief head of a network with its weights; shared by threads.

    It runs in float32 on the processor, whatever the backend of the other heads.
    """

    def __init__(self, net: Network, arrays: Weights) -> None:
        """Copy the weights.

        Args:
            net: architecture, with a belief head.
            arrays: its weights.
        """
        self._program = compile_belief(net, arrays)
        self._size = net.spec.belief
        # Buffers that nobody is using; a list is safe to pop from and append to by several threads.
        self._idle: list[tuple[Runner, LeafBatch]] = []

    def fill(self, batch: LeafBatch) -> None:
        """Write ``batch.beliefs`` in the rows that ``batch.wanted`` marks.

        Raises:
            ConfigError: beliefs of another size: the network is of another game.
            NumericsError: a belief is not finite.
        """
        assert batch.wanted is not None
        assert batch.beliefs is not None
        if batch.beliefs.shape[1] != self._size:
            raise ConfigError(
                f"a belief has {batch.beliefs.shape[1]} numbers here, but the network's "
                f"{self._size}: it was made for another game"
            )
        rows = np.flatnonzero(batch.wanted)
        if not len(rows):
            return
        try:
            runner, chunk = self._idle.pop()
        except IndexError:
            chunk = batch.room(ROW_MULTIPLE, ROW_MULTIPLE, None)
            runner = self._program.runner(ROW_MULTIPLE)
        for begin in range(0, len(rows), ROW_MULTIPLE):
            part = rows[begin : begin + ROW_MULTIPLE]
            chunk.observations[: len(part)] = batch.observations[part]
            chunk.observations[len(part) :] = 0.0
            answer = runner.run(chunk)[: len(part), : self._size]
            if not np.isfinite(answer).all():
                raise NumericsError(
                    "network: a belief for a leaf batch is not finite", place="evaluation"
                )
            batch.beliefs[part] = answer
        self._idle.append((runner, chunk))
