"""Lanes: threads that take groups of slots in turn and carry them over the border.

One turn of a group asks each player once: a searching player's leaves go ``collect -> evaluate ->
supply``, an outside player's positions go ``decisions -> choose -> decide``. A lane is outside the
interpreter for nearly all of a turn (walking trees and matrix products both release it), so lanes
run side by side. A group is held by one lane at a time and nothing that it does depends on other
groups or on time: the number of lanes changes speed, never results.
"""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, fields

import numpy as np

from ludus import _core
from ludus.errors import LudusError, PlayerError
from ludus.evaluators import LeafBatch
from ludus.players.player import ExternalPlayer, Player, SearchPlayer

_IDLE_TURNS = 1000
"""Turns in a row in which a busy group asks nobody anything: then something is wrong."""


@dataclass
class PhaseSeconds:
    """Seconds that lanes spent in each phase, summed over lanes, and what they did in them.

    Attributes:
        collect: walking trees to their leaves and encoding them.
        evaluate: in evaluators.
        supply: expanding leaves and backing values up.
        choose: in outside players.
        turns: turns of a group.
        rows: leaves evaluated.
    """

    collect: float = 0.0
    evaluate: float = 0.0
    supply: float = 0.0
    choose: float = 0.0
    turns: int = 0
    rows: int = 0

    def add(self, other: PhaseSeconds) -> None:
        """Add another count to this one."""
        for one in fields(self):
            setattr(self, one.name, getattr(self, one.name) + getattr(other, one.name))


class Lanes:
    """Drives slots with some threads, a bounded slice of time at each call.

    The threads live until :meth:`close`; they sleep between calls. Reading the slots (``finished``,
    ``in_flight``, ``counters``) is safe whenever :meth:`advance` is not running.

    Args:
        slots: the games; made with one settings dictionary for each of ``players``, in order.
        players: who answers. Searching players lend their arrays to the slots here.
        game: the rules of ``slots``.
        lanes: threads, at least 1. More than there are groups is a waste but no error.
    """

    def __init__(
        self, slots: _core.Slots, players: Sequence[Player], game: _core.Game, lanes: int
    ) -> None:
        if lanes < 1:
            raise PlayerError(f"lanes = {lanes} must be at least 1")
        self.seconds = PhaseSeconds()
        self._slots = slots
        self._players = list(players)
        self._batches: dict[tuple[int, int], LeafBatch] = {}
        for group in range(slots.groups):
            for index, player in enumerate(self._players):
                if isinstance(player, SearchPlayer):
                    batch = LeafBatch.allocate(game, slots.rows, slots.legal_capacity)
                    slots.bind(
                        group, index, batch.observations, batch.seats, batch.legal, batch.offsets
                    )
                    self._batches[group, index] = batch
        self._idle = [0] * slots.groups
        self._changed = threading.Condition()
        self._queue: deque[int] = deque(range(slots.groups))
        self._round = 0  # number of the advance() that runs
        self._working = 0  # lanes still in this round
        self._held = 0  # groups in the hands of a lane
        self._deadline = 0.0
        self._stop = False
        self._closed = False
        self._error: BaseException | None = None
        self._threads = [
            threading.Thread(target=self._lane, name=f"lane-{i}", daemon=True) for i in range(lanes)
        ]
        for thread in self._threads:
            thread.start()

    @property
    def lanes(self) -> int:
        """Number of threads."""
        return len(self._threads)

    def advance(self, seconds: float) -> bool:
        """Play on for about ``seconds``, or until no game is left.

        Turns in progress are finished, so it may take longer by one turn of a group; every call
        makes at least one turn. Ctrl-C ends the call likewise, with the slots whole.

        Args:
            seconds: wall-clock time, at least 0.

        Returns: True while games are left.

        Raises:
            LudusError: closed, or broken by an earlier error.
            BaseException: what an evaluator or chooser raised first, with its traceback.
        """
        with self._changed:
            if self._closed:
                raise LudusError("these lanes are closed")
            if self._error is not None:
                raise LudusError("these lanes stopped at an error earlier") from self._error
            waiting = [group for group in self._queue if self._slots.busy(group)]
            if not waiting:
                return False
            # Groups that are done leave the queue for the round; new games may bring them back.
            resting = [group for group in self._queue if group not in waiting]
            self._queue = deque(waiting)
            self._deadline = time.monotonic() + seconds
            self._stop = False
            self._working = len(self._threads)
            self._round += 1
            self._changed.notify_all()
            try:
                while self._working:
                    self._changed.wait()
            except BaseException:  # Ctrl-C: the turns in progress must end before it goes on
                self._stop = True
                self._changed.notify_all()
                while self._working:
                    self._changed.wait()
                raise
            finally:
                left = bool(self._queue)
                missing = set(range(self._slots.groups)) - set(self._queue) - set(resting)
                self._queue.extend(sorted(missing | set(resting)))
            if self._error is not None:
                raise self._error
            return left

    def close(self) -> None:
        """End the threads. May be called twice; :meth:`advance` is refused afterwards."""
        with self._changed:
            self._closed = True
            self._changed.notify_all()
        for thread in self._threads:
            thread.join()

    def __enter__(self) -> Lanes:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    # -- inside a lane -----------------------------------------------------------------------

    def _lane(self) -> None:
        seen = 0
        while True:
            with self._changed:
                while self._round == seen and not self._closed:
                    self._changed.wait()
                if self._closed:
                    return
                seen = self._round
            mine = PhaseSeconds()
            try:
                self._work(mine)
            finally:
                with self._changed:
                    self.seconds.add(mine)
                    self._working -= 1
                    self._changed.notify_all()

    def _work(self, mine: PhaseSeconds) -> None:
        """Take groups until the time is over, nothing is left or something failed."""
        while (group := self._take(first=mine.turns == 0)) is not None:
            left = False
            try:
                left = self._turn(group, mine)
            except BaseException as error:  # noqa: BLE001 - raised again by advance()
                with self._changed:
                    self._error = self._error or error
                    self._stop = True
            finally:
                with self._changed:
                    self._held -= 1
                    if left:
                        self._queue.append(group)
                    self._changed.notify_all()

    def _take(self, *, first: bool) -> int | None:
        with self._changed:
            while True:
                over = time.monotonic() >= self._deadline and not first
                if self._stop or over or (not self._queue and not self._held):
                    return None
                if self._queue:
                    self._held += 1
                    return self._queue.popleft()
                self._changed.wait(0.05)  # another lane may bring its group back
                first = False

    def _turn(self, group: int, mine: PhaseSeconds) -> bool:
        """One turn of a group; returns whether games are left in it."""
        asked = 0
        for index, player in enumerate(self._players):
            if isinstance(player, SearchPlayer):
                asked += self._search(group, index, player, mine)
            else:
                asked += self._choose(group, index, player, mine)
        mine.turns += 1
        left = self._slots.busy(group)
        self._idle[group] = 0 if asked or not left else self._idle[group] + 1
        if self._idle[group] > _IDLE_TURNS:
            raise LudusError(f"group {group} has games left but asks no player anything")
        return left

    def _search(self, group: int, index: int, player: SearchPlayer, mine: PhaseSeconds) -> int:
        batch = self._batches[group, index]
        start = time.perf_counter()
        rows = self._slots.collect(group, index)
        collected = time.perf_counter()
        mine.collect += collected - start
        if rows == 0:
            return 0
        player.evaluator.evaluate(batch)
        evaluated = time.perf_counter()
        self._slots.supply(group, index, batch.logits, batch.values)
        mine.evaluate += evaluated - collected
        mine.supply += time.perf_counter() - evaluated
        mine.rows += rows
        return rows

    def _choose(self, group: int, index: int, player: Player, mine: PhaseSeconds) -> int:
        start = time.perf_counter()
        # Asking also lets the slots play a random player's moves, which wait for nobody.
        slots, states, keys = self._slots.decisions(group, index)
        if len(slots) and isinstance(player, ExternalPlayer):
            actions = np.ascontiguousarray(player.choose(states, keys), dtype=np.int32)
            if actions.shape != slots.shape:
                raise PlayerError(
                    f"player {player.name} answered {actions.shape} actions for {len(slots)} states"
                )
            self._slots.decide(group, index, slots, actions)
        mine.choose += time.perf_counter() - start
        return len(slots)
