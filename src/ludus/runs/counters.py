"""The one owner of all counters of a run."""

from __future__ import annotations

import re
import threading
from collections.abc import Mapping
from typing import Any

from ludus.errors import CorruptError

_NAME = re.compile(r"^[a-z][a-z0-9_]*$")


class Counters:
    """Counts that only grow: games, plies, steps, iterations, positions, ...

    Everything else reads. May be added to from several threads. A counter that was never added to
    is 0.
    """

    def __init__(self) -> None:
        self._counts: dict[str, int] = {}
        self._lock = threading.Lock()

    def add(self, name: str, amount: int = 1) -> int:
        """Add `amount` and return the new count.

        Raises:
            ValueError: a negative amount, or a name that is not ``[a-z][a-z0-9_]*``.
            TypeError: an amount that is no integer.
        """
        if isinstance(amount, bool) or not hasattr(amount, "__index__"):
            raise TypeError(f"counter {name} was given {amount!r}, which is no integer")
        if amount < 0:
            raise ValueError(f"counter {name} was given {amount}: counters never go down")
        if _NAME.fullmatch(name) is None:
            raise ValueError(f"{name!r} is no name for a counter: it must be [a-z][a-z0-9_]*")
        with self._lock:
            count = self._counts.get(name, 0) + int(amount)
            self._counts[name] = count
        return count

    def __getitem__(self, name: str) -> int:
        with self._lock:
            return self._counts.get(name, 0)

    def as_dict(self) -> dict[str, int]:
        """A copy of all counts, by name in order."""
        with self._lock:
            return dict(sorted(self._counts.items()))

    @classmethod
    def from_dict(cls, counts: Mapping[str, Any]) -> Counters:
        """The owner back from :meth:`as_dict`; raises CorruptError for anything else."""
        counters = cls()
        for name, count in counts.items():
            if type(count) is not int or count < 0 or _NAME.fullmatch(name) is None:
                raise CorruptError(f"counter {name!r} has the value {count!r}")
            counters._counts[name] = count
        return counters
