"""The parent of a training run: no torch in it, and nothing that could crash with the trainer.

It starts one trainer child, listens to its heartbeats over a pipe, restarts it from its last
commit when it crashed or made no progress for 30 s (at most 5 times an hour), hands Ctrl-C on and
shows progress. The child dies with it: by ``PR_SET_PDEATHSIG`` and by the end of its stdin.
"""

from __future__ import annotations

import contextlib
import json
import os
import secrets
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

from ludus.errors import LudusError
from ludus.runs import Run, StatusWriter, is_run
from ludus.training.messages import Lines
from ludus.training.request import TrainRequest
from ludus.training.view import LiveView, PlainView, make_view


@dataclass(frozen=True)
class Patience:
    """How long the supervisor waits, and how often it tries again.

    Attributes:
        start_seconds: until the first heartbeat of a child (imports, opening a large run).
        progress_seconds: without progress, before a child is killed.
        restarts: in a window, before the run is given up.
        window_seconds: of those restarts.
    """

    start_seconds: float = 180.0
    progress_seconds: float = 30.0
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


class Supervisor:
    """Runs one request to its end."""

    def __init__(
        self,
        request: TrainRequest,
        view: PlainView | LiveView,
        *,
        patience: Patience | None = None,
        command: list[str] | None = None,
    ) -> None:
        """Prepare.

        Args:
            request: what to train.
            view: where progress is shown.
            patience: limits.
            command: starts the trainer; the real one by default.
        """
        self._request = request
        self._view = view
        self._patience = patience or Patience()
        self._command = command or [sys.executable, "-m", "ludus.training.trainer"]
        self._interrupts = 0
        self._deadline = (
            None if request.minutes is None else time.monotonic() + 60.0 * request.minutes
        )
        self._wake_read, self._wake_write = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)

    def run(self) -> int:
        """Work until the trainer ends for good; returns the exit code."""
        old = {
            name: signal.signal(name, self._signalled) for name in (signal.SIGINT, signal.SIGTERM)
        }
        restarts: deque[float] = deque()
        bad_numbers = 0
        request = self._request
        try:
            while True:
                outcome = self._one_child(request)
                if self._interrupts > 1:
                    return 130
                if outcome.code in (0, 2, 3) and not outcome.hung:
                    if outcome.text:
                        self._view.note(
                            f"ludus: {outcome.text}" if outcome.code == 2 else outcome.text
                        )
                    return outcome.code
                reason = outcome.text or f"the trainer ended with {_code_text(outcome.code)}"
                never_worked = not outcome.began and not outcome.hung and outcome.code > 0
                if outcome.final or never_worked or self._interrupts:
                    return self._give_up(reason)
                bad_numbers += outcome.numerics
                if bad_numbers > 1:
                    return self._give_up(reason, state="paused")
                now = time.monotonic()
                restarts.append(now)
                while restarts and now - restarts[0] > self._patience.window_seconds:
                    restarts.popleft()
                if len(restarts) > self._patience.restarts:
                    return self._give_up(
                        f"{reason}; that was failure number {len(restarts)} within the hour"
                    )
                self._view.note(
                    f"ludus: {reason}; restarting from the last commit "
                    f"({len(restarts)} of {self._patience.restarts})"
                )
                request = self._again(request)
        finally:
            for name, handler in old.items():
                signal.signal(name, handler)
            os.close(self._wake_read)
            os.close(self._wake_write)

    def _again(self, request: TrainRequest) -> TrainRequest:
        """The request for a restart: the run exists by now, and part of the time is over."""
        minutes = request.minutes
        if self._deadline is not None:
            minutes = max(0.0, (self._deadline - time.monotonic()) / 60.0)
        create = request.create and not is_run(Path(request.path))
        return replace(request, create=create, minutes=minutes)

    def _signalled(self, number: int, frame: FrameType | None) -> None:
        self._interrupts += 1
        with contextlib.suppress(OSError):
            os.write(self._wake_write, b"!")

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
        patience = self._patience
        deadline = time.monotonic() + patience.start_seconds
        told = 0
        with selectors.DefaultSelector() as selector:
            selector.register(read, selectors.EVENT_READ)
            selector.register(self._wake_read, selectors.EVENT_READ)
            while True:
                wait = max(0.0, min(1.0, deadline - time.monotonic()))
                ready = {key.fd for key, _ in selector.select(wait)}
                if self._wake_read in ready:
                    os.read(self._wake_read, 4096)
                if self._interrupts > told:
                    told = self._interrupts
                    if told > 1:
                        child.kill()
                        return outcome
                    self._view.note("ludus: stopping after a commit (Ctrl-C again ends at once)")
                    with contextlib.suppress(BrokenPipeError):
                        stdin.write(json.dumps({"command": "stop"}).encode() + b"\n")
                        stdin.flush()
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
                            deadline = time.monotonic() + patience.progress_seconds
                if time.monotonic() >= deadline:
                    child.kill()
                    child.wait()
                    outcome.hung, outcome.code = True, 1
                    outcome.text = (
                        f"the trainer made no progress for {patience.progress_seconds:.0f} s"
                    )
                    return outcome

    def _receive(self, message: dict[str, Any], outcome: _Outcome, work: Any) -> Any:
        """Take a message; returns the new mark of progress, None if nothing moved."""
        kind = message.get("kind")
        if kind == "note":
            self._view.note(str(message.get("text", "")))
        elif kind == "end":
            outcome.code = int(message.get("code", 1))
            outcome.text = str(message.get("text", ""))
            outcome.final = bool(message.get("final"))
            outcome.numerics = bool(message.get("numerics"))
        elif kind == "beat":
            outcome.began = True
            self._view.beat(message)
            mark = message.get("work")
            if message.get("waiting") or mark != work:
                return mark if mark is not None else 0
        return None

    def _give_up(self, reason: str, state: str = "error") -> int:
        """Say why and leave it in the status; returns the exit code, 3 for ``paused``.

        Bad numbers that come again after a return to the last commit pause the run (decision 13).
        """
        self._view.note(f"ludus: {reason}")
        code = 3 if state == "paused" else 1
        path = Path(self._request.path)
        try:
            run = Run.open(path, write=False)
        except LudusError:
            return code
        status = StatusWriter(path, run_id=run.id, incarnation=f"supervisor-{secrets.token_hex(4)}")
        status.write({"state": state, "phase": None, "error": reason, "reason": reason})
        self._view.note(f"ludus: the log is in {path}/logs; look at: ludus status --run {path}")
        return code


def _code_text(code: int) -> str:
    if code >= 0:
        return f"exit code {code}"
    try:
        return f"signal {signal.Signals(-code).name}"
    except ValueError:
        return f"signal {-code}"


def supervise(request: TrainRequest) -> int:
    """Train as asked, showing progress on stderr; returns the exit code of the command."""
    if request.nothing_to_do:
        sys.stderr.write(request.nothing_to_do + "\n")
        return 0
    with make_view() as view:
        return Supervisor(request, view).run()
