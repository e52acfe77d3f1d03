"""Callbacks: whoever wants to watch a training in this process, isolated from it.

Events are the only way to watch. A callback gets every record of the logs ``events`` and
``metrics`` as it is written, and the live events below, which are in no log. An exception in one
callback reaches neither the trainer nor the others. Callbacks run between units, in the thread that
trains: one that is slow slows the training, and that is told.
"""

from __future__ import annotations

import copy
import threading
import time
from collections import deque
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

from ludus import logs
from ludus.replay import GameRecords
from ludus.runs import Run
from ludus.training.phases import Phase

Record = dict[str, Any]
"""An event: ``event`` is its name; a copy of its own for each callback."""

Callback = Callable[[Record], object]
"""What watches. Its answer does not matter."""

LIVE = ("game", "games", "unit", "update", "iteration", "note")
"""Events that are in no log: a finished game, a batch of finished games, a unit of work, an update
of the learner, a finished iteration, a sentence for the user."""

FAILURES_IN_A_ROW = 10
"""After so many a callback is removed."""

SLOW_SECONDS = 1.0
"""A callback that took longer in sum is told of,"""

SLOW_WINDOW_SECONDS = 10.0
"""within so long."""

_LOG = logs.get_logger("callbacks")


@dataclass
class Subscription:
    """A callback and what it wants to see.

    Attributes:
        callback: called with a record.
        names: of events; None for all of the logs and none that are live only.
        every: each so-manyth of them alone.
        seen: events that fitted so far.
        failures: in a row.
    """

    callback: Callback
    names: frozenset[str] | None = None
    every: int = 1
    seen: int = 0
    failures: int = 0
    spent: float = 0.0
    window: float = field(default=-1.0)
    told_slow: bool = False

    @property
    def name(self) -> str:
        """For people."""
        return str(getattr(self.callback, "__qualname__", type(self.callback).__name__))

    def wants(self, event: str) -> bool:
        """Whether it wants events of that name."""
        return event not in LIVE if self.names is None else event in self.names


class Callbacks:
    """Hands events to callbacks.

    Safe to be called from any thread, and by a callback: what is published while an event is being
    handed out comes after it.
    """

    def __init__(self, run: Run, *, clock: Callable[[], float] = time.monotonic) -> None:
        """Watch the logs of a run that is open for writing.

        Args:
            run: its logs are watched; failures are counted and told there.
            clock: seconds, monotonic.
        """
        self._run = run
        self._clock = clock
        self._subscriptions: list[Subscription] = []
        self._waiting: deque[Record] = deque()
        self._busy = threading.Lock()
        run.watchers.append(self._written)

    def subscribe(
        self, callback: Callback, names: Collection[str] | None = None, *, every: int = 1
    ) -> Subscription:
        """Watch events.

        Args:
            callback: called with a record (a dictionary).
            names: of events, such as ``("gate_summary", "unit")``; None for everything that is
                logged.
            every: each so-manyth of them, such as 100 with ``game``.

        Returns: what :meth:`cancel` takes.

        Raises:
            ValueError: `every` below 1, or names given as one text.
        """
        if every < 1:
            raise ValueError(f"every = {every} must be at least 1")
        if isinstance(names, str):
            raise ValueError(f"names must be several names, such as ({names!r},)")
        chosen = None if names is None else frozenset(names)
        subscription = Subscription(callback, chosen, every)
        self._subscriptions.append(subscription)
        return subscription

    def cancel(self, subscription: Subscription) -> None:
        """Watch no longer. May be called twice, and by the callback itself."""
        if subscription in self._subscriptions:
            self._subscriptions.remove(subscription)

    def wants(self, event: str) -> bool:
        """Whether anybody wants events of that name; for those that cost something to make."""
        return any(one.wants(event) for one in self._subscriptions)

    def publish(self, event: str, **fields: Any) -> None:
        """Hand out a live event; never raises.

        Args:
            event: its name, one of :data:`LIVE`.
            fields: plain values.
        """
        if self.wants(event):
            self._hand_out({"event": event, "ts_ms": time.time_ns() // 1_000_000, **fields})

    def unit(self, phase: Phase) -> None:
        """Hand out ``unit``: what the phase in progress shows.

        Args:
            phase: between two of its units.
        """
        if self.wants("unit"):
            self.publish("unit", phase=phase.name, **phase.view())

    def results(
        self, first: int, differences: npt.NDArray[Any], plies: npt.NDArray[Any], total: int
    ) -> None:
        """Hand out finished games of which only the outcome is known, as :meth:`games` does.

        Args:
            first: number of the first game; the others follow.
            differences: by how many points seat 0 was ahead.
            plies: lengths.
            total: games since the run's birth, with these.
        """
        self.publish("games", games=len(plies), total=total, plies=int(plies.sum()))
        if self.wants("game"):
            for row, (ahead, length) in enumerate(zip(differences, plies, strict=True)):
                outcome = int(np.sign(ahead))
                self.publish(
                    "game",
                    game=first + row,
                    plies=int(length),
                    returns=[float(outcome), float(-outcome)],
                )

    def games(self, records: GameRecords, total: int) -> None:
        """Hand out finished games: ``games``, and ``game`` for each.

        Args:
            records: of the games.
            total: games since the run's birth, with these.
        """
        self.publish("games", games=len(records), total=total, plies=records.samples)
        if self.wants("game"):
            columns = records.columns
            for row in range(len(records)):
                self.publish(
                    "game",
                    game=int(records.game_ids[row]),
                    plies=int(columns["plies"][row]),
                    returns=np.asarray(columns["returns"][row], float).tolist(),
                    scores=np.asarray(columns["scores"][row], float).tolist(),
                )

    # -- inside ------------------------------------------------------------------------------

    def _written(self, log: str, record: Mapping[str, Any]) -> None:
        """A record was written to a log."""
        if log in ("events", "metrics") and self.wants(str(record["event"])):
            self._hand_out({"log": log, **record})

    def _hand_out(self, record: Record) -> None:
        self._waiting.append(record)
        while self._waiting and self._busy.acquire(blocking=False):
            try:
                while self._waiting:
                    self._give(self._waiting.popleft())
            finally:
                self._busy.release()

    def _give(self, record: Record) -> None:
        for one in list(self._subscriptions):
            about_itself = record["event"].startswith("callback_") and (
                record.get("callback") == one.name
            )
            if about_itself or not one.wants(record["event"]):
                continue
            one.seen += 1
            if one.seen % one.every == 0:
                self._call(one, copy.deepcopy(record))

    def _call(self, one: Subscription, record: Record) -> None:
        started = self._clock()
        try:
            one.callback(record)
        except (Exception, SystemExit) as error:  # noqa: BLE001 - isolation is what this is for
            self._failed(one, error)
        else:
            one.failures = 0
        self._took(one, started)

    def _failed(self, one: Subscription, error: BaseException) -> None:
        one.failures += 1
        removed = one.failures >= FAILURES_IN_A_ROW
        if removed:
            self.cancel(one)
        text = f"{type(error).__name__}: {error}"
        _LOG.error(f"callback {one.name} failed: {text}", event="callback_failed", exception=error)
        self._run.events.append_if_possible(
            "callback_failed",
            callback=one.name,
            error=text,
            count=self._run.counters.add("callback_errors"),
            removed=removed,
        )

    def _took(self, one: Subscription, started: float) -> None:
        now = self._clock()
        if started - one.window > SLOW_WINDOW_SECONDS or one.window < 0.0:
            one.window, one.spent, one.told_slow = started, 0.0, False
        one.spent += now - started
        if one.spent > SLOW_SECONDS and not one.told_slow:
            one.told_slow = True
            self._run.events.append_if_possible(
                "callback_slow",
                callback=one.name,
                seconds=round(one.spent, 3),
                window_seconds=SLOW_WINDOW_SECONDS,
            )
