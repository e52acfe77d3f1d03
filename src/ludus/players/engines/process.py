"""An engine's process: lines to it, lines from it, each within a time limit; and its end.

One thread at a time uses an :class:`EngineProcess`. It may be left in any way, by an exception, by
the end of the program, by a signal that nobody can catch: the engine and what it started end too
(:mod:`ludus.players.engines.guard`).
"""

from __future__ import annotations

import contextlib
import os
import select
import signal
import subprocess
import sys
import threading
import time
import weakref
from collections.abc import Sequence
from pathlib import Path

from ludus.errors import PlayerError

_GUARD = Path(__file__).with_name("guard.py")
_CHUNK = 65536
_LINE = 65536
"""Bytes of a line that are believed to be one."""

_KEPT = 2000
"""Bytes of stderr that are kept for sentences."""

_SHOWN = 200
"""Characters of an engine's words that a sentence shows."""

_GRACE = 0.5
"""Seconds that an engine has to end by itself when it is told to."""


def shown(text: str) -> str:
    """An engine's words in a sentence: on one line, quoted, not too long."""
    words = " ".join(text.split())
    return repr(words if len(words) <= _SHOWN else words[:_SHOWN] + "...")


class EngineProcess:
    """A running engine.

    Args:
        command: program and arguments; there is no shell.
        name: how sentences call the engine.
        folder: in which it starts; that of this process by default.

    Raises:
        PlayerError: it cannot be started.
    """

    def __init__(self, command: Sequence[str], name: str, folder: str | None = None) -> None:
        self.name = name
        life, mine = os.pipe()
        self._life = _Life(mine)
        try:
            self._guard = subprocess.Popen(
                [sys.executable, "-I", "-S", str(_GUARD), str(life), *command],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                bufsize=0,
                pass_fds=(life,),
                start_new_session=True,  # Ctrl-C is for Ludus, which then ends its engines
                cwd=folder,
            )
        except OSError as error:
            self._life.end()
            raise PlayerError(f"engine {name} cannot be started: {error.strerror}") from error
        finally:
            os.close(life)
        pipes = self._guard.stdin, self._guard.stdout, self._guard.stderr
        self._in, self._out, self._err = (pipe.fileno() for pipe in pipes if pipe is not None)
        for end in (self._in, self._out, self._err):
            os.set_blocking(end, False)
        self._unread = b""
        self._heard = ""  # its last line since it was asked
        self._noise = b""
        self._noisy = True  # stderr is open
        # Also at the end of the program, and when nobody holds this object any more.
        self._end = weakref.finalize(self, _end, self._guard, self._life)

    def send(self, line: str, seconds: float) -> None:
        """Write a line.

        Raises:
            PlayerError: the engine has ended, or reads nothing for so long.
        """
        self._heard = ""
        left = line.encode() + b"\n"
        deadline = time.monotonic() + seconds
        while left:
            if self._wait(deadline, writing=True):
                try:
                    left = left[os.write(self._in, left) :]
                except BrokenPipeError:
                    raise self.failure(f"it ended before it read {shown(line)}") from None
                except BlockingIOError:
                    continue
            elif time.monotonic() >= deadline:
                raise self.failure(f"it did not read {shown(line)} within {seconds:g} s")

    def line(self, asked: str, deadline: float, seconds: float) -> str:
        """The next line that the engine writes, without its end.

        Args:
            asked: what it was asked, for sentences.
            deadline: in the time of :func:`time.monotonic`.
            seconds: how long it had in all, for sentences.

        Raises:
            PlayerError: it has ended, or writes nothing in time, or no lines.
        """
        while b"\n" not in self._unread:
            if len(self._unread) > _LINE:
                raise self.failure(f"it answered {shown(asked)} with a line that never ends")
            if self._wait(deadline):
                chunk = os.read(self._out, _CHUNK)
                if not chunk:
                    raise self.failure(f"it {self._how_it_ended()} when asked {shown(asked)}")
                self._unread += chunk
            elif time.monotonic() >= deadline:
                said = self._unread.decode(errors="replace") or self._heard
                only = f", only wrote {shown(said)}" if said.strip() else ""
                raise self.failure(
                    f"it gave no answer to {shown(asked)} within {seconds:g} s{only}"
                )
        line, _, self._unread = self._unread.partition(b"\n")
        self._heard = line.rstrip(b"\r").decode(errors="replace")
        return self._heard

    def failure(self, what: str) -> PlayerError:
        """The sentence on a failure, with the last line that the engine wrote to stderr."""
        self._listen_to_noise()
        lines = [line for line in self._noise.decode(errors="replace").splitlines() if line.strip()]
        said = f"; its last words on stderr: {shown(lines[-1])}" if lines else ""
        return PlayerError(f"engine {self.name}: {what}{said}")

    def close(self, farewell: str = "quit") -> None:
        """End it: by a word, else by force. May be called twice."""
        if not self._end.alive:
            return
        with contextlib.suppress(OSError):
            os.write(self._in, farewell.encode() + b"\n")
        self._end()

    def kill(self) -> None:
        """End it at once; by any thread, while another one waits for its answer."""
        self._life.take()

    # -- inside --------------------------------------------------------------------------------

    def _wait(self, deadline: float, *, writing: bool = False) -> bool:
        """Whether the engine reads, or has written, by then; what it says on stderr is kept."""
        poll = select.poll()
        poll.register(*((self._in, select.POLLOUT) if writing else (self._out, select.POLLIN)))
        if self._noisy:  # read on the side, so that the engine never has to wait for it
            poll.register(self._err, select.POLLIN)
        left = min(max(0.0, deadline - time.monotonic()), 3600.0)
        ready = {fd for fd, _ in poll.poll(1000 * left)}
        if self._err in ready:
            self._listen_to_noise()
        return bool(ready - {self._err})

    def _listen_to_noise(self) -> None:
        """Keep the end of what stderr holds."""
        while self._noisy:
            try:
                chunk = os.read(self._err, _CHUNK)
            except BlockingIOError:
                return
            self._noisy = bool(chunk)
            self._noise = (self._noise + chunk)[-_KEPT:]

    def _how_it_ended(self) -> str:
        try:
            code = self._guard.wait(_GRACE)
        except subprocess.TimeoutExpired:
            return "closed its output"
        if code > 128:
            try:
                return f"was ended by {signal.Signals(code - 128).name}"
            except ValueError:
                pass
        return f"ended with exit code {code}"


class _Life:
    """Our end of the pipe to the guard: the engine lives as long as nothing comes through it."""

    def __init__(self, pipe: int) -> None:
        self._pipe = pipe
        self._lock = threading.Lock()

    def take(self) -> None:
        """The guard ends the engine."""
        with self._lock:
            if self._pipe >= 0:
                with contextlib.suppress(BrokenPipeError):
                    os.write(self._pipe, b".")

    def end(self) -> None:
        """Likewise, and close the pipe."""
        with self._lock:
            if self._pipe >= 0:
                os.close(self._pipe)
                self._pipe = -1


def _end(guard: subprocess.Popen[bytes], life: _Life) -> None:
    """Let the engine go: the end of its input, then of its life."""
    if guard.stdin is not None:
        guard.stdin.close()
    with contextlib.suppress(subprocess.TimeoutExpired):
        guard.wait(_GRACE)
    life.end()
    guard.wait()
    for pipe in (guard.stdout, guard.stderr):
        if pipe is not None:
            pipe.close()
