"""The training loop: phases in units, and around each unit what every recipe needs.

The phases of the session's kind, again and again. Between units: commands, the commit when it
is due, guards, limits, status, heartbeats. What decides results follows from counters and keys;
the clock only says where an interruption falls, and every interruption can be gone on from.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

from ludus.errors import UserError
from ludus.runs import SaveError, disk_is_full
from ludus.training import checkpointing
from ludus.training.changing import begin_iteration
from ludus.training.commands import Commands
from ludus.training.ending import Ending, ending_of
from ludus.training.forecaster import Forecaster, least
from ludus.training.guards import (
    DiskGuard,
    Hold,
    Moment,
    Rebuild,
    RestartError,
    ReturnToGood,
    make_guards,
)
from ludus.training.health import watch_health
from ludus.training.messages import Sender
from ludus.training.phases import Leave, Phase
from ludus.training.reporter import Reporter, write_report
from ludus.training.request import TrainRequest
from ludus.training.returning import Returns
from ludus.training.session import Session, now_ms
from ludus.training.sharing import Share
from ludus.training.states import left_by


class Loop:
    """Trains a session until a limit, a command or a signal ends it."""

    def __init__(
        self,
        session: Session,
        request: TrainRequest,
        sender: Sender,
        stop_asked: Callable[[], bool],
    ) -> None:
        """Prepare.

        Args:
            session: as of ``open_session``.
            request: limits.
            sender: to the supervisor.
            stop_asked: whether Ctrl-C or SIGTERM asked to stop.
        """
        self._session = session
        self._request = request
        self._sender = sender
        self._stop_asked = stop_asked
        self._commands = Commands(session, sender, self._commit_asked)
        self._end = None if request.minutes is None else time.monotonic() + 60.0 * request.minutes
        self._phase: Phase | None = None
        self._share = Share()
        self._forecaster = Forecaster(session, self._seconds_left)
        self._adrift = False  # what is in memory must not be committed
        self._guards = make_guards(session)
        self._disk = next(guard for guard in self._guards if isinstance(guard, DiskGuard))
        self._reporter = Reporter(
            session,
            sender,
            total_iterations=self._total_iterations,
            seconds_left=self._seconds_left,
            guards=self._guards,
        )
        self._returns = Returns(session, self._reporter.alive)

    # -- limits -------------------------------------------------------------------------------

    def _total_iterations(self) -> int | None:
        return least(self._session.settings.run.total_iterations, self._request.iterations)

    def _total_games(self) -> int | None:
        return least(self._session.settings.run.total_games, self._request.games)

    def _seconds_left(self) -> float | None:
        return None if self._end is None else max(0.0, self._end - time.monotonic())

    def _check_limits(self) -> None:
        iterations, games = self._total_iterations(), self._total_games()
        if iterations is not None and self._session.iteration >= iterations:
            raise Leave(left_by("limit"), f"{self._session.iteration} iterations are done")
        played = self._session.run.counters["selfplay_games"]
        if games is not None and played >= games:
            raise Leave(left_by("limit"), f"{played} games of self-play are done")
        self._check_time()

    def _check_time(self) -> None:
        if self._end is None or time.monotonic() < self._end:
            return
        # After a restart the request has what was left of the time, which nobody asked for.
        count = f"{self._request.minutes:.3g}"
        minutes = "the minute is over" if count == "1" else f"the {count} minutes are over"
        raise Leave(left_by("limit"), "the time is over" if self._request.restarts else minutes)

    # -- the loop -----------------------------------------------------------------------------

    def run(self) -> Ending:
        """Work until something ends it; everything is committed on return."""
        session = self._session
        session.require_ready()  # refused now, not after hours of play
        try:
            if session.left is not None:  # the last process was killed after its last commit
                raise Leave(session.left, "as asked before the trainer was killed")
            if session.run.fresh or self._request.changes or session.pausing is not None:
                self._commit(required=True)
            self._commands.pause_if_asked(self._check_limits)
            self._reporter.status("training", None)
            self._resume_guards()
            while True:
                try:
                    self._check_limits()
                    self._forecaster.look()
                    self._one_phase()
                except Leave:
                    raise
                except Exception as error:  # noqa: BLE001 - judged by its kind, or raised again
                    self._go_on_after(error)
        except Leave as leave:
            return self._leave(leave)
        finally:
            self._drop_phase()
            self._share.close()

    def _one_phase(self) -> None:
        session = self._session
        name = session.phase
        phase = self._begin_phase()
        while phase.advance(session.settings.runtime.unit_seconds):
            phase = self._between(phase)
        phase = self._between(phase)
        phase.finish()
        self._drop_phase()
        self._turn(name)
        self._commit(required=True)
        self._returns.progressed()
        self._reporter.status("training", None)
        if session.phase == session.phases[0]:
            if checkpointing.write_if_due(session, self._wait):
                self._commit(required=False)
            self._commands.pause_if_asked(self._check_limits)

    def _begin_phase(self) -> Phase:
        """The phase that the session stands in, anew or from what it saved."""
        session = self._session
        self._share.take(session)
        self._phase = phase = session.make_phase(session.phase, session.saved)
        session.saved = None
        session.playing = True
        return phase

    def _drop_phase(self) -> None:
        if self._phase is not None:
            self._phase.close()
            self._phase = None
        self._session.playing = False

    def _go_on_after(self, error: Exception) -> None:
        """Go back to a commit, where the error leaves one to go on from; else raise it."""
        self._adrift = True
        name = self._session.phase
        self._drop_phase()
        while True:
            if isinstance(error, SaveError) and disk_is_full(error):
                self._hold(self._disk.full(self._session, str(error)))
            try:
                outcome = self._returns.after(error, name)
                break
            except SaveError as again:
                if not disk_is_full(again):
                    raise
                error = again
        self._adrift = False
        self._commit(required=False)
        if outcome.error is not None:
            raise outcome.error
        if isinstance(error, ReturnToGood):
            self._resumed(error.guard)  # what it saw is undone
        if outcome.hold is not None:
            self._hold(outcome.hold)

    def _turn(self, name: str) -> None:
        """The next phase, or the next iteration."""
        session = self._session
        index = session.phases.index(name) + 1
        if index < len(session.phases):
            session.phase = session.phases[index]
            return
        watch_health(session)
        session.record["finished_ms"] = now_ms()
        session.phase = session.phases[0]
        session.iteration += 1
        session.run.counters.add("iterations")
        session.callbacks.publish("iteration", **session.run.iterations[-1])
        begin_iteration(session)

    def _between(self, phase: Phase) -> Phase:
        """What every recipe needs around each unit; returns the phase, which may be another."""
        if self._stop_asked():
            raise Leave(left_by("interrupt"), "stopped")
        self._commands.obey_all()
        self._check_limits_within()
        phase = self._guard(phase)
        if self._session.run.cadence.due() and self._commit(required=False):
            self._returns.progressed()
        self._reporter.worked(phase)
        self._session.callbacks.unit(phase)
        return phase

    def _check_limits_within(self) -> None:
        """Limits that end a run in the middle of an iteration."""
        games = self._total_games()
        played = self._session.run.counters["selfplay_games"]
        if self._session.phase == "selfplay" and games is not None and played >= games:
            raise Leave(left_by("limit"), f"{played} games of self-play are done")
        self._check_time()

    # -- commits ------------------------------------------------------------------------------

    def _commit(self, *, required: bool, waits: bool = True) -> bool:
        """Make all progress durable; whether that worked.

        Args:
            required: whether a failure is raised.
            waits: whether a required commit waits for room on a disk that is full.

        Raises:
            SaveError: the disk refused, and the commit was required.
        """
        session, phase = self._session, self._phase

        def action() -> Any:
            objects, saved = phase.save() if phase is not None else session.kept()
            return session.commit(objects, saved)

        self._disk.before_save(session)
        while True:
            try:
                return session.run.save(action, required=required, wait=self._wait) is not None
            except SaveError as error:
                if not waits or not disk_is_full(error):
                    raise
                self._hold(self._disk.full(session, str(error)), commits=False)

    def _commit_asked(self) -> None:
        """For ``ludus save``.

        Raises:
            UserError: nothing can be committed now.
        """
        if self._adrift:
            raise UserError("nothing new can be saved while the run waits for room on its disk")
        self._commit(required=True, waits=False)

    def _wait(self, seconds: float) -> None:
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            self._reporter.alive()
            time.sleep(min(0.2, max(0.0, end - time.monotonic())))

    def _leave(self, leave: Leave) -> Ending:
        session = self._session
        session.left, session.pausing = leave.state, None
        if not self._adrift:  # else the last commit is what there is
            # Before the commit, which makes the line durable: what lies behind one is cut on
            # resume.
            session.run.events.append_if_possible("ended", state=leave.state, reason=leave.reason)
            # Who asks to pause or stop does not want to wait for room on a disk.
            try:
                self._commit(required=True, waits=leave.state == "done")
            except Leave:
                self._commit(required=True, waits=False)
        self._reporter.status(leave.state, None, reason=leave.reason)
        if leave.state == "done":
            write_report(session, leave.reason)
        return ending_of(session, leave, adrift=self._adrift)

    # -- guards -------------------------------------------------------------------------------

    def _moment(self) -> Moment:
        reporter = self._reporter
        return Moment(self._session, self._phase, reporter, time.monotonic(), reporter.figures)

    def _guard(self, phase: Phase) -> Phase:
        """Let every guard look; one that asks for it holds the run here."""
        for guard in self._guards:
            try:
                guard.look(self._moment())
            except Hold as hold:
                self._hold(hold)
            except Rebuild as rebuild:
                phase = self._rebuild(phase, rebuild)
            except RestartError:
                self._commit(required=False)
                raise
        return phase

    def _rebuild(self, phase: Phase, rebuild: Rebuild) -> Phase:
        """The phase anew from a commit of now: what it has spare goes, its results are the same."""
        session = self._session
        if not self._commit(required=False):
            return phase
        self._drop_phase()
        session.saved = session.run.manifest.progress["saved"]
        session.run.events.append_if_possible(
            "phase_rebuilt",
            phase=session.phase,
            reason=rebuild.reason,
            sequence=session.run.manifest.sequence,
        )
        return self._begin_phase()

    def _hold(self, hold: Hold, *, commits: bool = True) -> None:
        """A guard's pause: commit, then wait for its rule or for ``ludus resume``."""
        session = self._session
        fields = {"guard": hold.guard, "reason": hold.reason}
        session.run.events.append_if_possible("guard_paused", **fields)
        session.note(f"paused by guard: {hold.reason}")
        session.book.held = hold.guard if hold.until is None else None
        commits = commits and not self._adrift
        if commits:
            self._commit(required=False)
        self._commands.resumed = False
        while not self._commands.resumed and not (hold.until is not None and hold.until()):
            self._reporter.waiting(hold.reason)
            time.sleep(0.2)
            if self._stop_asked():
                raise Leave(left_by("interrupt"), "stopped")
            self._commands.obey_all()
            if self._end is not None and time.monotonic() >= self._end:
                raise Leave(left_by("pause"), hold.reason)
        session.run.events.append_if_possible("guard_resumed", **fields)
        session.note("going on")
        self._resumed(hold.guard)
        if commits and hold.until is None:
            self._commit(required=False)  # or the next process would be held for the same errors

    def _resumed(self, name: str) -> None:
        self._session.book.held = None
        for guard in self._guards:
            if guard.name == name:
                guard.resumed(self._moment())

    def _resume_guards(self) -> None:
        """To start a run that a guard holds is to resume it."""
        held = self._session.book.held
        if held is not None:
            self._resumed(held)
