"""The parent of a training run: no torch in it, and nothing that could crash with the trainer.

It starts one trainer child, listens to its heartbeats over a pipe, restarts it from its last
commit when it crashed or made no progress for ``guards.watchdog_seconds`` (at most 5 times an
hour), hands Ctrl-C on, shows progress and takes alerts out of the machine. The child dies with it:
by ``PR_SET_PDEATHSIG`` and by the end of its stdin. All times are monotonic.
"""

from __future__ import annotations

import contextlib
import json
import os
import selectors
import signal
import subprocess
import sys
import time
from collections import deque
from dataclasses import dataclass, replace
from pathlib import Path
from types import FrameType
from typing import IO, Any

from ludus.runs import is_run
from ludus.training.messages import Lines
from ludus.training.outside import Outside, leave_in_status
from ludus.training.request import TrainRequest
from ludus.training.view import LiveView, PlainView, make_view

_OWN_GAP_SECONDS = 2.0
"""A turn of the supervisor's own loop that took so much too long was spent stopped or starved."""


@dataclass(frozen=True)
class Patience:
    """How long the supervisor waits, and how often it tries again.

    Attributes:
        start_seconds: until the first heartbeat of a child (imports, opening a large run).
        progress_seconds: without progress, before a child is killed; None for the run's setting
            ``guards.watchdog_seconds``, as it is at the time.
        restarts: in a window, before the run is given up.
        window_seconds: of those restarts.
    """

    start_seconds: float = 180.0
    progress_seconds: float | None = None
    restarts: int = 5
    window_seconds: float = 3600.0


@dataclass
class _Outcome:
    """How a child ended."""

    code: int
    text: str = ""
    final: bool = False
    hung: bool = False
    began: bool = False
    numerics: bool = False

    @property
    def cause(self) -> str:
        """As the event ``restarted`` names it."""
        return "hang" if self.hung else "numbers" if self.numerics else "crash"


class Supervisor:
    """Runs one request to its end."""

    def __init__(
        self,
        request: TrainRequest,
        view: PlainView | LiveView,
        *,
        patience: Patience | None = None,
        command: list[str] | None = None,
        notices: deque[str] | None = None,
    ) -> None:
        """Prepare.

        Args:
            request: what to train.
            view: where progress is shown.
            patience: limits.
            command: starts the trainer; the real one by default.
            notices: sentences for the events of the run; others may add to them at any time.
        """
        self._request = request
        self._view = view
        self._patience = patience or Patience()
        self._command = command or [sys.executable, "-m", "ludus.training.trainer"]
        self._interrupts = 0
        self._notices: deque[str] = deque() if notices is None else notices
        self._outside = Outside(request, self._noted)
        self._watchdog = self._patience.progress_seconds or self._outside.watchdog_seconds
        self._untold: list[dict[str, Any]] = []
        self._uncommitted: tuple[float | None, float] = (None, 0.0)
        self._deadline = (
            None if request.minutes is None else time.monotonic() + 60.0 * request.minutes
        )
        self._wake_read, self._wake_write = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)

    def run(self) -> int:
        """Work until the trainer ends for good; returns the exit code."""
        names = [signal.SIGINT, signal.SIGTERM]
        if signal.getsignal(signal.SIGHUP) != signal.SIG_IGN:  # nohup stays what it is
            names.append(signal.SIGHUP)
        old = {name: signal.signal(name, self._signalled) for name in names}
        try:
            return self._work()
        finally:
            asked = self._interrupts > 0
            self._outside.close(asked=asked, hurry=lambda: self._interrupts > asked)
            for name, handler in old.items():
                signal.signal(name, handler)
            os.close(self._wake_read)
            os.close(self._wake_write)

    def _work(self) -> int:
        """One child after another, until one ends as it should or there is no sense in more."""
        patience = self._patience
        restarts: deque[float] = deque()
        bad_numbers: deque[float] = deque()
        request = self._request
        while True:
            outcome = self._one_child(request)
            if self._interrupts > 1:
                return 130
            if outcome.code in (0, 2, 3) and not outcome.hung:
                return self._ended(outcome)
            reason = outcome.text or f"the trainer ended with {_code_text(outcome.code)}"
            never_worked = not outcome.began and not outcome.hung and outcome.code > 0
            if outcome.final or never_worked or self._interrupts:
                return self._give_up(reason)
            now = time.monotonic()
            restarts.append(now)
            if outcome.numerics:
                bad_numbers.append(now)
            for times in (restarts, bad_numbers):
                while times and now - times[0] > patience.window_seconds:
                    times.popleft()
            if len(bad_numbers) > 1:
                return self._give_up(reason, state="paused")
            if len(restarts) > patience.restarts:
                return self._give_up(
                    f"{reason}; that was failure number {len(restarts)} within the hour"
                )
            self._note(
                f"ludus: {reason}; restarting from the last commit "
                f"({len(restarts)} of {patience.restarts})"
            )
            self._outside.alert(
                {"hang": "trainer_hung", "numbers": "bad_numbers"}.get(
                    outcome.cause, "trainer_crashed"
                ),
                f"{reason}; restarted from the last commit",
            )
            request = self._again(request, outcome, reason)

    def _ended(self, outcome: _Outcome) -> int:
        """A child ended as it should, or with a mistake of the user's."""
        if outcome.text:
            self._note(f"ludus: {outcome.text}" if outcome.code == 2 else outcome.text)
        if outcome.code == 2 and outcome.began:
            self._outside.alert("run_failed", outcome.text)
        elif outcome.code == 3:
            self._outside.alert("run_paused", outcome.text, severity="warning")
        return outcome.code

    def _again(self, request: TrainRequest, outcome: _Outcome, reason: str) -> TrainRequest:
        """The request for a restart: the run exists by now, and part of the time is over."""
        now = time.monotonic()
        minutes = request.minutes
        if self._deadline is not None:
            minutes = max(0.0, (self._deadline - now) / 60.0)
        uncommitted, at = self._uncommitted
        lost = None if uncommitted is None else round(uncommitted + now - at, 3)
        self._untold.append({"reason": reason, "cause": outcome.cause, "lost_seconds": lost})
        create = request.create and not is_run(Path(request.path))
        return replace(request, create=create, minutes=minutes, restarts=list(self._untold))

    def _signalled(self, number: int, frame: FrameType | None) -> None:
        self._interrupts += 1
        with contextlib.suppress(OSError):
            os.write(self._wake_write, b"!")

    def _note(self, text: str) -> None:
        """Show a sentence; a terminal that is gone must not end the training."""
        with contextlib.suppress(OSError, ValueError):
            self._view.note(text)

    def _noted(self, text: str) -> None:
        """Show a sentence, and have it in the events of the run."""
        self._note(text)
        self._notices.append(text.removeprefix("ludus: "))

    def _one_child(self, request: TrainRequest) -> _Outcome:
        read, write = os.pipe2(os.O_CLOEXEC)
        child = subprocess.Popen(
            [*self._command, str(write)],
            stdin=subprocess.PIPE,
            pass_fds=(write,),
        )
        os.close(write)
        assert child.stdin is not None
        try:
            with contextlib.suppress(BrokenPipeError):
                child.stdin.write(request.as_json().encode() + b"\n")
                child.stdin.flush()
            return self._listen(child, child.stdin, read)
        finally:
            os.close(read)
            if child.poll() is None:
                child.kill()
            child.wait()
            with contextlib.suppress(BrokenPipeError):
                child.stdin.close()

    def _listen(self, child: subprocess.Popen[bytes], stdin: IO[bytes], read: int) -> _Outcome:
        outcome = _Outcome(code=1)
        lines, work = Lines(), None
        self._uncommitted = (None, 0.0)
        deadline = time.monotonic() + self._patience.start_seconds
        told = 0
        with selectors.DefaultSelector() as selector:
            selector.register(read, selectors.EVENT_READ)
            selector.register(self._wake_read, selectors.EVENT_READ)
            while True:
                turn = time.monotonic()
                wait = max(0.0, min(1.0, deadline - turn))
                ready = {key.fd for key, _ in selector.select(wait)}
                if self._wake_read in ready:
                    os.read(self._wake_read, 4096)
                if self._interrupts > told:
                    told = self._interrupts
                    if told > 1:
                        child.kill()
                        return outcome
                    self._note("ludus: stopping after a commit (Ctrl-C again ends at once)")
                    _say(stdin, command="stop")
                while outcome.began and self._notices:
                    _say(stdin, command="notice", message=self._notices.popleft())
                if read in ready:
                    data = os.read(read, 65536)
                    if not data:
                        child.wait()
                        if child.returncode != 0 or not outcome.text:
                            outcome.code = child.returncode
                        return outcome
                    for message in lines.feed(data):
                        moved = self._receive(message, outcome, work)
                        if moved is not None:
                            work = moved
                            deadline = time.monotonic() + self._watchdog
                now = time.monotonic()
                if now - turn > wait + _OWN_GAP_SECONDS:
                    # This process was stopped (Ctrl-Z, a debugger): the child may have been too.
                    deadline = max(deadline, now + self._watchdog)
                if now >= deadline:
                    child.kill()
                    child.wait()
                    outcome.hung, outcome.code = True, 1
                    limit = self._watchdog if outcome.began else self._patience.start_seconds
                    outcome.text = f"the trainer made no progress for {limit:.3g} s"
                    return outcome

    def _receive(self, message: dict[str, Any], outcome: _Outcome, work: Any) -> Any:
        """Take a message; returns the new mark of progress, None if nothing moved."""
        kind = message.get("kind")
        if kind == "note":
            self._note(str(message.get("text", "")))
        elif kind == "end":
            outcome.code = int(message.get("code", 1))
            outcome.text = str(message.get("text", ""))
            outcome.final = bool(message.get("final"))
            outcome.numerics = bool(message.get("numerics"))
        elif kind == "alert":
            self._outside.passed_on(message)
        elif kind == "told":
            del self._untold[: int(message.get("restarts", 0))]
        elif kind == "beat":
            outcome.began = True
            with contextlib.suppress(OSError, ValueError):
                self._view.beat(message)
            return self._beat(message, work)
        return None

    def _beat(self, message: dict[str, Any], work: Any) -> Any:
        uncommitted, watchdog = message.get("uncommitted_seconds"), message.get("watchdog")
        if isinstance(uncommitted, int | float):
            self._uncommitted = (float(uncommitted), time.monotonic())
        elif self._uncommitted[0] is None:  # the run is open; nothing was done in it yet
            self._uncommitted = (0.0, time.monotonic())
        if self._patience.progress_seconds is None and isinstance(watchdog, int | float):
            self._watchdog = max(1.0, float(watchdog))
        self._outside.waiting(message)
        mark = message.get("work")
        if message.get("waiting") or mark != work:
            return mark if mark is not None else 0
        return None

    def _give_up(self, reason: str, state: str = "error") -> int:
        """Say why and leave it in the status; returns the exit code, 3 for ``paused``.

        Bad numbers that come again after a return to the last commit pause the run (decision 13).
        """
        self._note(f"ludus: {reason}")
        self._outside.alert("run_paused" if state == "paused" else "run_given_up", reason)
        path = Path(self._request.path)
        if leave_in_status(path, state, reason):
            self._note(f"ludus: the log is in {path}/logs; look at: ludus status --run {path}")
        return 3 if state == "paused" else 1


def _code_text(code: int) -> str:
    if code >= 0:
        return f"exit code {code}"
    try:
        return f"signal {signal.Signals(-code).name}"
    except ValueError:
        return f"signal {-code}"


def _say(stdin: IO[bytes], **message: str) -> None:
    """One message to the trainer, which may be gone."""
    with contextlib.suppress(BrokenPipeError):
        stdin.write(json.dumps(message).encode() + b"\n")
        stdin.flush()


def supervise(request: TrainRequest, notices: deque[str] | None = None) -> int:
    """Train as asked, showing progress on stderr; returns the exit code of the command.

    Args:
        request: what to train.
        notices: sentences for the events of the run; others may add to them at any time.
    """
    if request.nothing_to_do:
        sys.stderr.write(request.nothing_to_do + "\n")
        return 0
    with make_view() as view:
        return Supervisor(request, view, notices=notices).run()
