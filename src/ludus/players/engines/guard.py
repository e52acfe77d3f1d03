"""Between Ludus and an engine: a small process that ends the engine when Ludus ends, however.

``python -I -S guard.py FD COMMAND ...`` runs the command in a process group of its own, with this
process' standard input, output and error. When the other end of the pipe FD is closed, which also
happens when Ludus is killed, the whole group is killed. When the engine has ended, what is left of
its group is killed, and its exit code is handed on (128 + n for signal n).

PR_SET_PDEATHSIG alone would not do: it fires when the *thread* that started the engine ends, and
setting it between fork and exec is not safe in a process with threads. This one has only one.
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import select
import signal
import sys

_PR_SET_PDEATHSIG = 1
_NO_PROGRAM = 127


def _become(command: list[str], life: int, parent: int) -> None:
    """In the child: be the engine."""
    os.setpgid(0, 0)
    with contextlib.suppress(OSError, AttributeError):  # elsewhere than on Linux
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
    if os.getppid() != parent:
        os._exit(1)
    for number in (signal.SIGPIPE, signal.SIGXFSZ, signal.SIGCHLD):
        signal.signal(number, signal.SIG_DFL)
    os.close(life)
    try:
        os.execvp(command[0], command)  # noqa: S606 - a shell is what nobody wants here
    except OSError as error:
        os.write(2, f"{command[0]}: {error.strerror}\n".encode())
    os._exit(_NO_PROGRAM)


def main() -> int:
    """Run the engine until it ends or Ludus does; returns the exit code."""
    life, command = int(sys.argv[1]), sys.argv[2:]
    woken, wake = os.pipe()
    os.set_blocking(wake, False)
    signal.set_wakeup_fd(wake)
    signal.signal(signal.SIGCHLD, lambda *_: None)
    guard = os.getpid()
    engine = os.fork()
    if engine == 0:
        _become(command, life, guard)
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    with contextlib.suppress(OSError):  # it has done so itself, or has ended already
        os.setpgid(engine, engine)
    nowhere = os.open(os.devnull, os.O_RDWR)
    for number in (0, 1, 2):  # so that the pipes close when the engine closes them
        os.dup2(nowhere, number)
    watched = select.poll()
    watched.register(life, select.POLLIN)
    watched.register(woken, select.POLLIN)
    while not any(fd == life for fd, _ in watched.poll()):
        os.read(woken, 512)
        if os.waitid(os.P_PID, engine, os.WEXITED | os.WNOHANG | os.WNOWAIT) is not None:
            break
    with contextlib.suppress(OSError):
        os.killpg(engine, signal.SIGKILL)
    code = os.waitstatus_to_exitcode(os.waitpid(engine, 0)[1])
    return code if code >= 0 else 128 - code


if __name__ == "__main__":
    sys.exit(main())
