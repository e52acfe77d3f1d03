"""The companion of a training: a process that feeds sinks and serves ``/metrics`` meanwhile.

It is started around the supervisor and is nobody's parent or child that matters: it reads the run
directory like any other reader. It may crash, hang or wait for a network for ever; training never
knows. It dies with the process that started it.
"""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
import threading
from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from ludus.training.request import TrainRequest

FLUSH_SECONDS = 10.0
"""What a companion has at the end, before it is killed."""

_RESTARTS = 3
_MOST_NOTE = 500
COMMAND = (sys.executable, "-m", "ludus.monitor.exporters.companion_process")


@dataclass(frozen=True)
class CompanionRequest:
    """What a companion is to do; all of it is JSON.

    Attributes:
        path: the run directory, which may not be there yet.
        sinks: names of sinks.
        port: of ``/metrics``; 0 any free one, None none.
        interval: seconds between two looks.
    """

    path: str
    sinks: tuple[str, ...] = ()
    port: int | None = None
    interval: float = 30.0

    def as_json(self) -> str:
        """One line for the companion."""
        return json.dumps(asdict(self))

    @classmethod
    def from_json(cls, line: str) -> CompanionRequest:
        """The inverse of :meth:`as_json`."""
        fields = json.loads(line)
        return cls(**{**fields, "sinks": tuple(fields["sinks"])})


class Companion:
    """Starts the process, starts it again a few times, and ends it."""

    def __init__(
        self,
        request: CompanionRequest,
        note: Callable[[str], None],
        *,
        warn: Callable[[str], None] | None = None,
        command: Sequence[str] = COMMAND,
        flush_seconds: float = FLUSH_SECONDS,
        first_pause: float = 2.0,
    ) -> None:
        """Prepare.

        Args:
            request: what to do.
            note: takes a sentence for people.
            warn: takes those that say that something fails; they do not go to ``note`` then.
            command: starts the process; the real one by default.
            flush_seconds: what it has at the end.
            first_pause: seconds before the first restart, doubled each time.
        """
        self._request = request
        self._note = note
        self._warn = warn or note
        self._command = list(command)
        self._flush_seconds = flush_seconds
        self._pause = first_pause
        self._ending = threading.Event()
        self._child: subprocess.Popen[bytes] | None = None
        # The kernel ends a child when the thread that made it ends: this one lives to the end.
        self._thread = threading.Thread(target=self._keep, name="companion", daemon=True)
        self.starts = 0

    def start(self) -> None:
        """Start; returns at once."""
        self._thread.start()

    def stop(self) -> None:
        """Let it flush for its last seconds, then kill it."""
        self._ending.set()
        child = self._child
        if child is not None and child.stdin is not None:
            with contextlib.suppress(OSError, ValueError):
                child.stdin.write(b'{"command": "finish"}\n')
                child.stdin.flush()
        try:
            self._thread.join(self._flush_seconds)
        finally:  # a Ctrl-C does not wait
            self._kill()
            self._thread.join(5.0)

    def _keep(self) -> None:
        told = False
        while not self._ending.is_set():
            self.starts += 1
            code = self._one_child()
            if code is None or code == 0 or self._ending.is_set():
                return
            if self.starts > _RESTARTS:
                self._warn("ludus: the companion for sinks and metrics ended again; left alone")
                return
            if not told:
                told = True
                self._warn(
                    f"ludus: the companion for sinks and metrics ended ({_code_text(code)}); "
                    "it is started again, training goes on"
                )
            if self._ending.wait(self._pause * 2 ** (self.starts - 1)):
                return

    def _one_child(self) -> int | None:
        try:
            child = subprocess.Popen(
                self._command,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
                start_new_session=True,  # Ctrl-C is not for it; what it starts ends with it
            )
        except OSError as error:
            self._warn(f"ludus: no companion for sinks and metrics: {error.strerror}")
            return None
        self._child = child
        assert child.stdin is not None
        assert child.stdout is not None
        try:
            with contextlib.suppress(OSError):
                child.stdin.write(self._request.as_json().encode() + b"\n")
                child.stdin.flush()
            if self._ending.is_set():  # asked for while it was started
                self._kill()
            for line in child.stdout:
                self._tell(line)
            return child.wait()
        finally:
            self._kill()
            child.wait()
            for pipe in (child.stdin, child.stdout):
                with contextlib.suppress(OSError):
                    pipe.close()

    def _tell(self, line: bytes) -> None:
        try:
            said = json.loads(line)
            text, warning = said["note"], bool(said.get("warning"))
        except (ValueError, KeyError, TypeError):
            return
        shown = "".join(char if char.isprintable() else " " for char in str(text)[:_MOST_NOTE])
        (self._warn if warning else self._note)(f"ludus: {shown}")

    def _kill(self) -> None:
        child = self._child
        if child is not None:
            with contextlib.suppress(OSError):
                os.killpg(child.pid, signal.SIGKILL)


def _code_text(code: int) -> str:
    return f"signal {-code}" if code < 0 else f"exit code {code}"


def wanted(
    request: TrainRequest, port: int | None = None, sinks: Sequence[str] = ()
) -> CompanionRequest | None:
    """What a training wants of a companion; None for nothing.

    Args:
        request: of the training, whose settings ``metrics.*`` are looked at.
        port: of ``/metrics``, by an option of the command; it goes before the setting.
        sinks: further ones.
    """
    from ludus.runs import Run
    from ludus.training.request import current_settings
    from ludus.training.settings import Settings

    if request.nothing_to_do:
        return None
    if request.create:
        metrics = Settings.model_validate(request.settings).metrics
    else:
        metrics = current_settings(Run.open(Path(request.path), write=False)).metrics
    values: Mapping[str, Any] = {
        **metrics.model_dump(),
        **{
            key.removeprefix("metrics."): value
            for key, value in request.changes.items()
            if key.startswith("metrics.")
        },
    }
    port = values["prometheus_port"] if port is None else port
    names = tuple(dict.fromkeys((*values["sinks"], *sinks)))
    if not names and port is None:
        return None
    return CompanionRequest(request.path, names, port, float(values["export_interval"]))


@contextlib.contextmanager
def companion(
    request: TrainRequest,
    port: int | None = None,
    sinks: Sequence[str] = (),
    notices: deque[str] | None = None,
) -> Iterator[None]:
    """Have a companion, if one is wanted, while something else works.

    Args:
        request: of the training.
        port: of ``/metrics``, by an option of the command.
        sinks: besides those of the settings.
        notices: gets a sentence where something fails.
    """
    asked = wanted(request, port, sinks)
    if asked is None:
        yield
        return

    def warn(text: str) -> None:
        _to_stderr(text)
        if notices is not None:
            notices.append(text.removeprefix("ludus: "))

    one = Companion(asked, _to_stderr, warn=warn)
    one.start()
    try:
        yield
    finally:
        one.stop()


def _to_stderr(text: str) -> None:
    """Looked up at each call: on a terminal, the live line of the training catches it."""
    with contextlib.suppress(OSError, ValueError):
        sys.stderr.write(text + "\n")
        sys.stderr.flush()
