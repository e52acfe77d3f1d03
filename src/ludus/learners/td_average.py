"""Mean of the tables over their training, the later the heavier.

A constant step never comes to rest: the tables wander about what they learn. The mean of what they
have been is better than they are, and needs no schedule that knows when training will end. It is
played and stored; self-play and learning go on with the tables themselves.

Method: Polyak, Juditsky, "Acceleration of stochastic approximation by averaging", SIAM Journal on
Control and Optimization 30, 1992; weights that grow with a power of time: Shamir, Zhang,
"Stochastic gradient descent for non-smooth optimization", ICML 2013, section 4 (polynomial-decay
averaging), with their eta 3: the latest quarter of training weighs two thirds.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

POWER = 3
"""With which power of the time a table's weight in the mean grows."""

_CHUNK = 2**18
"""Entries at a time, so that temporary arrays stay in the cache."""

_NEUTRAL, _DISC = np.float32(32768.5), np.float32(256.0)


class TableAverage:
    """The mean.

    Attributes:
        mean: of the weights of all entries in discs, f32[entries].
        count: tables that it is of; 0: none yet.
    """

    def __init__(self, entries: int) -> None:
        """Of nothing."""
        self.mean: npt.NDArray[np.float32] = np.zeros(entries, np.float32)
        self.count = 0

    def add(self, weights: npt.NDArray[np.float32]) -> None:
        """Take in the tables as they are now.

        Args:
            weights: in discs, f32[entries]; may be strided.
        """
        self.count += 1
        share = np.float32((POWER + 1) / (POWER + self.count))
        for start in range(0, len(weights), _CHUNK):
            part = self.mean[start : start + _CHUNK]
            apart: npt.NDArray[np.float32] = weights[start : start + _CHUNK] - part
            apart *= share
            part += apart

    def table(self) -> npt.NDArray[np.uint16]:
        """As the tables have it, rounded: u16[entries], 256 a disc, 32768 neutral."""
        out = np.empty(len(self.mean), np.uint16)
        for start in range(0, len(out), _CHUNK):
            part = self.mean[start : start + _CHUNK] * _DISC
            part += _NEUTRAL
            out[start : start + _CHUNK] = part.astype(np.uint16)
        return out
