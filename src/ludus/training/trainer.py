"""The trainer child: one process that trains one run, started and watched by the supervisor.

``python -m ludus.training.trainer FD`` reads the request from its standard input, sends messages
to the descriptor, obeys ``stop`` on its standard input and dies when that ends.
"""

from __future__ import annotations

import ctypes
import json
import os
import signal
import sys
import threading
from collections import deque
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING

from ludus import logs

if TYPE_CHECKING:
    from ludus.training.operating_settings import LoggingSettings

_LOG = logs.get_logger("training")
_PR_SET_PDEATHSIG = 1


def die_with_parent() -> None:
    """Ask the kernel to end this process when its parent does (Linux; elsewhere stdin says so)."""
    parent = os.getppid()
    try:
        ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
    except (OSError, AttributeError):
        return
    if os.getppid() != parent:
        os._exit(1)


class _Asked:
    """What was asked for: the end, by the supervisor or by SIGTERM to this process; and notices."""

    def __init__(self) -> None:
        self.stop = False
        self.notices: deque[str] = deque()

    def listen(self) -> None:
        """Obey standard input until it ends; then nobody needs this process any more."""
        for line in sys.stdin.buffer:
            try:
                said = json.loads(line)
                if said.get("command") == "stop":
                    self.stop = True
                elif said.get("command") == "notice":
                    self.notices.append(str(said["message"]))
            except (ValueError, AttributeError, KeyError):
                continue
        os._exit(1)

    def signalled(self, number: int, frame: FrameType | None) -> None:
        """SIGTERM: commit and stop."""
        self.stop = True


def _log_to(directory: Path, settings: LoggingSettings) -> Path:
    """Send stderr of this process, crashes of native code too, to a log of the run."""
    path = logs.new_log(directory)
    logs.redirect_stderr(path)
    logs.configure(settings.level, json_output=settings.json_output, file=path, console=False)
    return path


def main(arguments: list[str]) -> int:
    """Train as the request on standard input says; returns the exit code."""
    die_with_parent()
    # Lanes are the parallelism of play. torch.set_num_threads holds for one thread only; without
    # this every other lane starts a team of its own, which measured 50 times slower.
    os.environ["OMP_NUM_THREADS"] = os.environ["MKL_NUM_THREADS"] = "1"
    # Waiting threads sleep: on a busy machine spinning ones made a step of the learner 10 times
    # slower. Neither variable changes a bit.
    os.environ["OMP_WAIT_POLICY"] = "PASSIVE"
    asked = _Asked()
    # Ctrl-C reaches the whole group of the terminal; the supervisor decides what it means.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGHUP, signal.SIG_IGN)  # so it does when the terminal goes
    signal.signal(signal.SIGTERM, asked.signalled)
    line = sys.stdin.buffer.readline()
    if not line:
        return 1
    threading.Thread(target=asked.listen, name="stdin", daemon=True).start()

    from ludus.errors import LudusError, NumericsError, UserError
    from ludus.runs import DurabilityError
    from ludus.training.messages import Sender
    from ludus.training.request import TrainRequest

    sender = Sender(int(arguments[0]) if arguments else None)
    try:
        return _train(TrainRequest.from_json(line.decode()), sender, asked)
    except UserError as error:
        sender.send("end", state="error", code=2, text=str(error))
        return 2
    except (DurabilityError, NumericsError, LudusError, MemoryError, OSError) as error:
        if logs.to_file() or not isinstance(error, LudusError):
            _failed(error)  # else the sentence below says all that a user can use
        sender.send(
            "end",
            state="error",
            code=1,
            text=f"{type(error).__name__}: {error}",
            final=isinstance(error, DurabilityError),
            numerics=isinstance(error, NumericsError),
        )
        return 1
    except Exception as error:  # noqa: BLE001 - the last stop of this process
        _failed(error)
        sender.send("end", state="error", code=1, text=f"{type(error).__name__}: {error}")
        return 1


def _failed(error: BaseException) -> None:
    """Write the traceback to the log, or to stderr before there is one."""
    _LOG.error(f"{type(error).__name__}: {error}", event="failed", exception=error)


def _train(request: object, sender: object, asked: _Asked) -> int:
    from ludus.training.birth import open_session
    from ludus.training.kinds import session_class
    from ludus.training.loop import Loop
    from ludus.training.messages import Sender
    from ludus.training.request import TrainRequest
    from ludus.training.restarts import tell_restarts

    assert isinstance(request, TrainRequest)
    assert isinstance(sender, Sender)
    if session_class(request.learner).uses_torch:
        import torch

        torch.set_num_threads(1)  # the learner sets its own threads around each step

    def note(text: str) -> None:
        sender.send("note", text=text)
        bad = text.startswith(("warning:", "error:", "health:"))
        _LOG.log(text, "warning" if bad else "info", event="note")

    session = open_session(request, note)
    with session.run as run:
        sender.send("beat", work=-1, iteration=session.iteration)
        if request.restarts:
            tell_restarts(session, request.restarts)
            sender.send("told", restarts=len(request.restarts))
        log = _log_to(run.path / "logs", session.settings.logging)
        word = "training" if request.create or run.fresh else "going on with"
        note(f"{word} {run.path} (seed {run.manifest.seed}, iteration {session.iteration})")

        def stop_asked() -> bool:
            while asked.notices:
                run.events.append_if_possible("notice", message=asked.notices.popleft())
            return asked.stop

        try:
            ending = Loop(session, request, sender, stop_asked).run()
        except BaseException as error:
            run.events.append_if_possible(
                "failed", error=f"{type(error).__name__}: {error}", log=log.name
            )
            raise
    sender.send("end", state=ending.state, code=ending.code, text=ending.text)
    return ending.code


if __name__ == "__main__":
    code = main(sys.argv[1:])
    # Lanes and the thread at stdin may still run: there is nothing left to clean up.
    logs.close()
    sys.stderr.flush()
    os._exit(code)
