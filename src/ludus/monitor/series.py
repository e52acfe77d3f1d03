"""Curves with a bounded number of points, however long the run."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

MOST_POINTS = 2000


@dataclass
class Series:
    """A figure over a clock; when it gets long, neighbours are merged into their mean.

    Attributes:
        clock: what x counts, such as ``train_step``.
        x: last clock value of each point, ascending.
        y: mean of the values of each point.
    """

    clock: str
    x: list[float] = field(default_factory=list)
    y: list[float] = field(default_factory=list)
    _each: int = 1
    _sum: float = 0.0
    _count: int = 0

    def add(self, x: float, y: float) -> None:
        """Take a value; its x must not be below the last one."""
        self._sum += y
        self._count += 1
        if self._count < self._each:
            return
        self.x.append(x)
        self.y.append(self._sum / self._count)
        self._sum, self._count = 0.0, 0
        if len(self.x) >= MOST_POINTS:
            self.x = self.x[1::2]
            self.y = [(a + b) / 2 for a, b in zip(self.y[::2], self.y[1::2], strict=True)]
            self._each *= 2

    def copy(self) -> Series:
        """The curve as it is now, which later values do not change."""
        return Series(self.clock, list(self.x), list(self.y), self._each, self._sum, self._count)

    def __len__(self) -> int:
        return len(self.x)

    def __iter__(self) -> Iterator[tuple[float, float]]:
        return iter(zip(self.x, self.y, strict=True))
