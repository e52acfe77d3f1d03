"""The training loop: phases in units, and around each unit what every recipe needs.

selfplay -> train -> gate -> evaluate, again and again. Between units: commands, the commit when it
is due, guards, limits, status, heartbeats. What decides results follows from counters and keys;
the clock only says where an interruption falls, and every interruption can be gone on from.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal

from ludus.errors import UserError
from ludus.evaluators import core_count
from ludus.runs import Command
from ludus.training.birth import apply_changes, tell_idle_options
from ludus.training.evaluating import EvaluatePhase
from ludus.training.gating import GatePhase, gate_seeds, save_checkpoint
from ludus.training.guards import Hold, Moment, make_guards
from ludus.training.health import watch_health
from ludus.training.keys import known_keys
from ludus.training.layers import parse_assignment
from ludus.training.learning import TrainPhase
from ludus.training.messages import Sender
from ludus.training.phases import Leave, Phase
from ludus.training.reporter import Reporter, resume_command, write_report
from ludus.training.request import TrainRequest
from ludus.training.selfplay import SelfplayPhase
from ludus.training.session import PHASES, Session, now_ms

_MAKERS: dict[str, Callable[[Session, dict[str, Any] | None], Phase]] = {
    "selfplay": SelfplayPhase,
    "train": TrainPhase,
    "gate": GatePhase,
    "evaluate": EvaluatePhase,
}


@dataclass(frozen=True)
class Ending:
    """How the loop ended.

    Attributes:
        state: ``done``, ``idle`` (stopped) or ``paused``.
        code: exit code.
        text: sentences for the user.
    """

    state: Literal["done", "idle", "paused"]
    code: int
    text: str


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
        self._pause_at_iteration = request.pause_at == "iteration"
        self._end = None if request.minutes is None else time.monotonic() + 60.0 * request.minutes
        self._phase: Phase | None = None
        self._resumed = False
        self._guards = make_guards(session)
        self._reporter = Reporter(
            session,
            sender,
            total_iterations=self._total_iterations,
            seconds_left=self._seconds_left,
            guards=self._guards,
        )

    # -- limits -------------------------------------------------------------------------------

    def _total_iterations(self) -> int | None:
        return _least(self._session.settings.run.total_iterations, self._request.iterations)

    def _total_games(self) -> int | None:
        return _least(self._session.settings.run.total_games, self._request.games)

    def _seconds_left(self) -> float | None:
        return None if self._end is None else max(0.0, self._end - time.monotonic())

    def _check_limits(self) -> None:
        iterations, games = self._total_iterations(), self._total_games()
        if iterations is not None and self._session.iteration >= iterations:
            raise Leave("done", f"{self._session.iteration} iterations are done")
        played = self._session.run.counters["selfplay_games"]
        if games is not None and played >= games:
            raise Leave("done", f"{played} games of self-play are done")
        if self._end is not None and time.monotonic() >= self._end:
            raise Leave("done", f"the {self._request.minutes:.3g} minutes are over")

    # -- the loop -----------------------------------------------------------------------------

    def run(self) -> Ending:
        """Work until something ends it; everything is committed on return."""
        session = self._session
        gate_seeds(session)  # one that does not exist is refused now, not after hours of play
        try:
            if session.run.fresh:
                self._commit(required=True)
            self._reporter.status("training", None)
            while True:
                self._check_limits()
                self._one_phase()
        except Leave as leave:
            return self._leave(leave)
        finally:
            if self._phase is not None:
                self._phase.close()

    def _one_phase(self) -> None:
        session = self._session
        name = session.phase
        self._phase = phase = _MAKERS[name](session, session.saved)
        session.saved = None
        left = True
        while left:
            left = phase.advance(session.settings.runtime.unit_seconds)
            self._between(phase)
        phase.finish()
        phase.close()
        self._phase = None
        self._turn(name)
        self._commit(required=True)
        self._reporter.status("training", None)
        if session.phase == PHASES[0] and self._pause_at_iteration:
            raise Leave("paused", f"iteration {session.iteration} is done")

    def _turn(self, name: str) -> None:
        """The next phase, or the next iteration."""
        session = self._session
        index = PHASES.index(name) + 1
        if index < len(PHASES):
            session.phase = PHASES[index]
            return
        watch_health(session)
        session.record["finished_ms"] = now_ms()
        session.phase = PHASES[0]
        session.iteration += 1
        session.run.counters.add("iterations")

    def _between(self, phase: Phase) -> None:
        """What every recipe needs around each unit."""
        if self._stop_asked():
            raise Leave("idle", "stopped")
        for command in self._session.run.control.poll():
            self._obey(command)
        self._check_limits_within()
        self._guard(phase)
        if self._session.run.cadence.due():
            self._commit(required=False)
        self._reporter.worked(phase)

    def _check_limits_within(self) -> None:
        """Limits that end a run in the middle of an iteration."""
        games = self._total_games()
        played = self._session.run.counters["selfplay_games"]
        if self._session.phase == "selfplay" and games is not None and played >= games:
            raise Leave("done", f"{played} games of self-play are done")
        if self._end is not None and time.monotonic() >= self._end:
            raise Leave("done", f"the {self._request.minutes:.3g} minutes are over")

    # -- commits ------------------------------------------------------------------------------

    def _commit(self, *, required: bool) -> None:
        session, phase = self._session, self._phase

        def action() -> Any:
            objects, saved = phase.save() if phase is not None else session.kept()
            return session.commit(objects, saved)

        session.run.save(action, required=required, wait=self._wait)

    def _wait(self, seconds: float) -> None:
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            self._reporter.alive()
            time.sleep(min(0.2, max(0.0, end - time.monotonic())))

    def _leave(self, leave: Leave) -> Ending:
        session = self._session
        # Before the commit, which makes the line durable: what lies behind one is cut on resume.
        session.run.events.append("ended", state=leave.state, reason=leave.reason)
        self._commit(required=True)
        self._reporter.status(leave.state, None, reason=leave.reason)
        if leave.state == "done":
            write_report(session, leave.reason)
        where, name = session.run.path, session.run.manifest.recipe
        opponent = min(session.entry.players, default="random")
        if leave.state == "paused":
            text = (
                f"paused ({leave.reason}); go on with: {resume_command(session)}\n"
                f"  or: ludus resume --run {where}"
            )
            return Ending("paused", 3, text)
        text = (
            f"{leave.reason}; everything is committed in {where}\n"
            f"  look:    ludus status --run {where}\n"
            f"  measure: ludus match {where} {opponent}\n"
            f"  play:    ludus play {where}\n"
            f"  go on:   ludus train {name} --run {where}"
        )
        return Ending(leave.state, 0, text)

    # -- commands -----------------------------------------------------------------------------

    def _obey(self, command: Command) -> None:
        session = self._session
        run = session.run
        run.events.append("command", command=command.name, args=dict(command.args))
        try:
            if command.name == "pause":
                if command.args.get("at") == "iteration":
                    self._pause_at_iteration = True
                    self._sender.send("note", text="pausing at the end of this iteration")
                else:
                    raise Leave("paused", "asked to pause")
            elif command.name == "stop":
                raise Leave("idle", "stopped")
            elif command.name == "resume":
                self._pause_at_iteration = False
                self._resumed = True
            elif command.name == "save":
                self._commit(required=True)
                path = save_checkpoint(session, permanent=True)
                self._commit(required=True)
                self._sender.send("note", text=f"saved {run.path / path}")
            elif command.name == "set":
                self._set(str(command.args["key"]), command.args["value"])
        except UserError as error:
            run.events.append("command_refused", message=str(error))
            self._sender.send("note", text=f"refused: {error}")
        finally:
            run.control.done(command)

    def _set(self, key: str, value: Any) -> None:
        """Change a setting that may change.

        Raises:
            UserError: it may not, or the value is refused.
        """
        session = self._session
        given = parse_assignment(f"{key}={value}", "SET")
        may_change = known_keys()
        for name, wanted in given.items():
            if not may_change.get(name, False):
                raise UserError(f"setting {name} is fixed for the life of a run")
            session.settings = apply_changes(session.settings, {name: wanted.value})
            session.changed[name] = wanted.value
            session.run.events.append("setting_changed", key=name, value=wanted.value, source="set")
            self._sender.send("note", text=f"{name} is {wanted.value} from now on")
        tell_idle_options(session, given)
        session.run.cadence.seconds = session.settings.run.commit_seconds
        session.lanes = session.settings.runtime.lanes or core_count()  # from the next phase on

    # -- guards -------------------------------------------------------------------------------

    def _guard(self, phase: Phase) -> None:
        """Let every guard look; one that asks for it holds the run here."""
        moment = Moment(
            self._session, phase, self._reporter, time.monotonic(), self._reporter.figures
        )
        for guard in self._guards:
            try:
                guard.look(moment)
            except Hold as hold:
                self._hold(hold)
                guard.resumed(moment)

    def _hold(self, hold: Hold) -> None:
        """A guard's pause: commit, then wait for its rule or for ``ludus resume``."""
        session = self._session
        fields = {"guard": hold.guard, "reason": hold.reason}
        session.run.events.append_if_possible("guard_paused", **fields)
        session.note(f"paused by guard: {hold.reason}")
        self._commit(required=False)
        self._resumed = False
        while not self._resumed and not (hold.until is not None and hold.until()):
            self._reporter.waiting(hold.reason)
            time.sleep(0.2)
            if self._stop_asked():
                raise Leave("idle", "stopped")
            for command in session.run.control.poll():
                self._obey(command)
            if self._end is not None and time.monotonic() >= self._end:
                raise Leave("paused", hold.reason)
        session.run.events.append_if_possible("guard_resumed", **fields)
        session.note("going on")


def _least(*limits: int | None) -> int | None:
    known = [limit for limit in limits if limit is not None]
    return min(known) if known else None
