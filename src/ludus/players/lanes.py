"""Lanes: threads that take groups of slots in turn and carry them over the border.

One turn of a group asks each player once: a searching player's leaves go ``collect -> evaluate ->
supply``, an outside player's positions go ``decisions -> choose -> decide``. A lane is outside the
interpreter for nearly all of a turn (walking trees and matrix products both release it), so lanes
run side by side. A group is held by one lane at a time and nothing that it does depends on other
groups or on time: the number of lanes changes speed, never results.

Each lane has groups of its own, and stays with one for many turns, so that a group's trees stay in
one core's cache. A lane without a group takes one that waits for another lane.
"""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields, replace

import numpy as np

from ludus import _core
from ludus.errors import LudusError, PlayerError
from ludus.players.asking import Asking
from ludus.players.player import ExternalPlayer, Player, SearchPlayer

PHASES = ("tree", "encode", "network", "expand", "choose", "idle")
"""Where a lane's time goes; see :class:`PhaseSeconds`."""

_STINT = 64
"""Turns of a group before the lane takes its next one: each change of group costs its trees' way
back into the core's cache."""

_IDLE_TURNS = 1000
"""Turns in a row in which a busy group asks nobody anything: then something is wrong."""


_FAILURE = "ludus_lane_failure"
"""Attribute of an exception that says where in the lanes it was raised."""


@dataclass(frozen=True)
class LaneFailure:
    """Where in the lanes an exception was raised.

    Attributes:
        lane: number of the thread.
        group: of slots that it worked on.
        player: name of who was asked.
        stage: ``search`` (in the slots), ``evaluator`` or ``player``.
        games: ids of the group's games in flight; none where the size of a group is unknown.
    """

    lane: int
    group: int
    player: str
    stage: str
    games: tuple[int, ...] = ()


def failure_of(error: BaseException) -> LaneFailure | None:
    """Where in the lanes an exception was raised; None if it was raised elsewhere."""
    found = error.__dict__.get(_FAILURE)
    return found if isinstance(found, LaneFailure) else None


@dataclass
class PhaseSeconds:
    """Seconds that lanes spent in each phase, summed over lanes, and what they did in them.

    Attributes:
        tree: selecting leaves, playing moves; a node's softmax belongs to the first simulation
            that goes through the node, so it is here.
        encode: writing observations and lists of legal actions.
        network: in evaluators, what they wait for the interpreter included.
        expand: taking answers: checking and storing logits, backing up values.
        choose: in outside players.
        idle: the rest of the lanes' time: waiting for a group or for the interpreter.
        turns: turns of a group.
        rows: leaves evaluated.
    """

    tree: float = 0.0
    encode: float = 0.0
    network: float = 0.0
    expand: float = 0.0
    choose: float = 0.0
    idle: float = 0.0
    turns: int = 0
    rows: int = 0

    def add(self, other: PhaseSeconds) -> None:
        """Add another count to this one."""
        for one in fields(self):
            setattr(self, one.name, getattr(self, one.name) + getattr(other, one.name))

    def shares(self) -> dict[str, float]:
        """Each phase's share of all lanes' time, by name; they sum to 1 once there is any."""
        phases = {name: getattr(self, name) for name in PHASES}
        total = sum(phases.values())
        return {name: seconds / total if total else 0.0 for name, seconds in phases.items()}

    def __str__(self) -> str:
        return ", ".join(f"{name} {share:.0%}" for name, share in self.shares().items())


class Lanes:
    """Drives slots with some threads, a bounded slice of time at each call.

    The threads live until :meth:`close`; they sleep between calls. Reading the slots (``finished``,
    ``in_flight``, ``counters``) is safe whenever :meth:`advance` is not running.

    Args:
        slots: the games; made with one settings dictionary for each of ``players``, in order.
        players: who answers. Searching players lend their arrays to the slots here.
        game: the rules of ``slots``.
        lanes: threads, at least 1. More than there are groups is a waste but no error.
        group_size: slots of a group, so that an exception can name the games; None if unknown.
    """

    def __init__(
        self,
        slots: _core.Slots,
        players: Sequence[Player],
        game: _core.Game,
        lanes: int,
        *,
        group_size: int | None = None,
    ) -> None:
        if lanes < 1:
            raise PlayerError(f"lanes = {lanes} must be at least 1")
        self.seconds = PhaseSeconds()
        self._slots = slots
        self._players = list(players)
        self._asking = {
            (group, index): Asking(slots, game, group, index, player)
            for group in range(slots.groups)
            for index, player in enumerate(self._players)
            if isinstance(player, SearchPlayer)
        }
        self._group_size = group_size
        self._asked = [0] * slots.groups  # player that a group asks now
        self._unasked = [0] * slots.groups  # turns in a row in which nobody was asked
        self._stint = [0] * slots.groups  # turns since the group's lane took it up
        self._changed = threading.Condition()
        self._home = [group * lanes // slots.groups for group in range(slots.groups)]
        self._queues: list[deque[int]] = [deque() for _ in range(lanes)]
        self._round = 0  # number of the advance() that runs
        self._working = 0  # lanes still in this round
        self._held = 0  # groups in the hands of a lane
        self._deadline = 0.0
        self._stop = False
        self._closed = False
        self._error: BaseException | None = None
        self._threads = [
            threading.Thread(target=self._lane, args=(i,), name=f"lane-{i}", daemon=True)
            for i in range(lanes)
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
        makes at least one turn. Ctrl-C ends the call likewise, with the slots whole; a chooser with
        a method ``interrupt`` is told, and what it raises then is not told of.

        Args:
            seconds: wall-clock time, at least 0.

        Returns: True while games are left.

        Raises:
            LudusError: closed, or broken by an earlier error.
            BaseException: what an evaluator or chooser raised first, with its traceback;
                :func:`failure_of` tells where.
        """
        with self._changed:
            if self._closed:
                raise LudusError("these lanes are closed")
            if self._error is not None:
                raise LudusError("these lanes stopped at an error earlier") from self._error
            # A group that is done is in no queue; new games bring it back to its lane.
            queued = {group for queue in self._queues for group in queue}
            for group in range(self._slots.groups):
                if group not in queued and self._slots.busy(group):
                    self._queues[self._home[group]].append(group)
            if not any(self._queues):
                return False
            passes = self._slots.passes()
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
                self._interrupt()
                while self._working:
                    self._changed.wait()
                raise
            finally:
                self._add_passes(passes)
            if self._error is not None:
                self._name_games(self._error)
                raise self._error
            return any(self._queues)

    def _interrupt(self) -> None:
        """Tell players outside, who may think for long, that nobody waits for them any more."""
        for player in self._players:
            if isinstance(player, ExternalPlayer) and hasattr(player.choose, "interrupt"):
                player.choose.interrupt()

    def _place(self, lane: int, group: int, error: BaseException) -> None:
        """Note in an exception where it was raised."""
        index = self._asked[group]
        asking = self._asking.get((group, index))
        stage = "player" if asking is None else asking.stage
        error.__dict__[_FAILURE] = LaneFailure(lane, group, self._players[index].name, stage)

    def _name_games(self, error: BaseException) -> None:
        """Add the games of the group, now that no lane works any more."""
        failure, size = failure_of(error), self._group_size
        if failure is None or size is None:
            return
        ids = self._slots.in_flight()["game_id"]
        mine = ids[ids % (size * self._slots.groups) // size == failure.group]
        error.__dict__[_FAILURE] = replace(failure, games=tuple(int(game) for game in mine))

    def _add_passes(self, before: Mapping[str, float]) -> None:
        """The time inside the slots since then; a lane knows it only as not spent elsewhere."""
        now = self._slots.passes()
        for name in ("tree", "encode", "expand"):
            spent = now[name] - before[name]
            setattr(self.seconds, name, getattr(self.seconds, name) + spent)
            self.seconds.idle -= spent

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

    def _lane(self, lane: int) -> None:
        seen = 0
        while True:
            with self._changed:
                while self._round == seen and not self._closed:
                    self._changed.wait()
                if self._closed:
                    return
                seen = self._round
            mine = PhaseSeconds()
            start = time.perf_counter()
            try:
                self._work(lane, mine)
            finally:
                mine.idle = time.perf_counter() - start - mine.network - mine.choose
                with self._changed:
                    self.seconds.add(mine)
                    self._working -= 1
                    self._changed.notify_all()

    def _work(self, lane: int, mine: PhaseSeconds) -> None:
        """Take groups until the time is over, nothing is left or something failed."""
        while (group := self._take(lane, first=mine.turns == 0)) is not None:
            left = False
            try:
                left = self._stay(group, mine)
            except BaseException as error:  # noqa: BLE001 - raised again by advance()
                self._place(lane, group, error)
                with self._changed:
                    self._error = self._error or error
                    self._stop = True
            finally:
                self._leave(lane, group, left=left)

    def _over(self) -> bool:
        return self._stop or time.monotonic() >= self._deadline

    def _take(self, lane: int, *, first: bool) -> int | None:
        """The next group: of this lane, else of the lane with the most waiting."""
        with self._changed:
            while True:
                if self._stop or (self._over() and not first):
                    return None
                queue = self._queues[lane] or max(self._queues, key=len)
                if queue:
                    self._held += 1
                    return queue.popleft()
                if not self._held:
                    return None
                self._changed.wait(0.05)  # another lane may bring its group back
                first = False

    def _stay(self, group: int, mine: PhaseSeconds) -> bool:
        """Turns of a group until its stint or the time is over; whether games are left in it."""
        while self._turn(group, mine):
            self._stint[group] += 1
            if self._stint[group] >= _STINT or self._over():
                return True
        return False

    def _leave(self, lane: int, group: int, *, left: bool) -> None:
        with self._changed:
            self._held -= 1
            if left and self._stint[group] < _STINT:
                self._queues[lane].appendleft(group)  # the time was over: it goes on later
            else:
                self._stint[group] = 0
                if left:
                    self._queues[lane].append(group)
            self._home[group] = lane
            self._changed.notify_all()

    def _turn(self, group: int, mine: PhaseSeconds) -> bool:
        """One turn of a group; returns whether games may be left in it."""
        asked = 0
        for index, player in enumerate(self._players):
            self._asked[group] = index
            if isinstance(player, SearchPlayer):
                rows, seconds = self._asking[group, index].turn()
                mine.network += seconds
                mine.rows += rows
                asked += rows
            else:
                asked += self._choose(group, index, player, mine)
        mine.turns += 1
        if asked:
            self._unasked[group] = 0
            return True
        if not self._slots.busy(group):
            return False
        self._unasked[group] += 1
        if self._unasked[group] > _IDLE_TURNS:
            raise LudusError(f"group {group} has games left but asks no player anything")
        return True

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
