"""S5: what listens while a documented command works: nothing that another machine can reach.

Every command that opens a port, or might, is started; then the sockets of its whole family of
processes are looked up in ``/proc``. An address that others can reach needs a flag and a token.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from tests.durability.experiment import Budget, Outcome
from tests.durability.places import ROOT, environment, ludus_command
from tests.runs.helpers import commit, new_run

_LISTEN = "0A"
_PATIENCE = 60.0


@dataclass(frozen=True)
class Command:
    """A command as it is documented.

    Attributes:
        words: behind ``ludus``; RUN is a finished run, NEW a folder that does not exist.
        listens: whether it must be seen to listen, or only must not listen to strangers.
        says: to its standard input, so that it begins its work.
    """

    words: tuple[str, ...]
    listens: bool = False
    says: str = ""


_TRAIN = (
    "train",
    "othello",
    "--run",
    "NEW",
    "--minutes",
    "0.5",
    "--set",
    "selfplay.games_per_iteration=256",
)
COMMANDS = (
    Command(("metrics", "RUN", "--port", "0"), listens=True),
    Command((*_TRAIN, "--metrics-port", "0"), listens=True),
    Command(("monitor", "RUN", "--once")),
    Command(("engine", "othello", "random"), says="name\n"),
    Command(("engine", "othello", "random", "--protocol", "nboard"), says="nboard 2\n"),
    Command(_TRAIN),
)


def family(pid: int) -> set[int]:
    """A process and all that descend from it."""
    found, left = set(), [pid]
    while left:
        one = left.pop()
        found.add(one)
        for task in Path(f"/proc/{one}/task").glob("*/children"):
            try:
                left += [int(word) for word in task.read_text().split()]
            except OSError:
                continue
    return found


def _inodes(pids: set[int]) -> set[str]:
    found = set()
    for pid in pids:
        try:
            names = os.listdir(f"/proc/{pid}/fd")
        except OSError:
            continue
        for name in names:
            try:
                target = os.readlink(f"/proc/{pid}/fd/{name}")
            except OSError:
                continue
            if target.startswith("socket:["):
                found.add(target[8:-1])
    return found


def sockets(pids: set[int]) -> Iterator[tuple[str, bool]]:
    """Sockets of these processes that others can speak to, and whether only this machine can."""
    mine = _inodes(pids)
    for name in ("tcp", "tcp6", "udp", "udp6"):
        path = Path(f"/proc/net/{name}")
        for line in path.read_text().splitlines()[1:] if path.exists() else ():
            words = line.split()
            if words[9] not in mine or (name.startswith("tcp") and words[3] != _LISTEN):
                continue
            address, _, port = words[1].partition(":")
            local = address.endswith("7F") if len(address) == 8 else _local_6(address)
            yield f"{name} {address}:{int(port, 16)}", local
    for line in Path("/proc/net/unix").read_text().splitlines()[1:]:
        words = line.split()
        if words[6] in mine and words[3] == "00010000":  # it accepts connections
            yield f"unix {words[7] if len(words) > 7 else '(without a name)'}", True


def _local_6(address: str) -> bool:
    """Whether an address of ``/proc/net/tcp6`` is ::1 or ::ffff:127.x.x.x."""
    return address == "0" * 24 + "01000000" or (
        address.startswith("0" * 16 + "FFFF0000") and address.endswith("7F")
    )


def watch(command: Command, folder: Path) -> str:
    """Start it and look at its sockets until it ends or is seen to listen; what is wrong."""
    words = [
        {"RUN": str(folder / "run"), "NEW": str(folder / "new")}.get(word, word)
        for word in command.words
    ]
    process = subprocess.Popen(
        ludus_command(*words),
        env=environment(HOME=str(folder)),
        cwd=ROOT,
        stdin=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    assert process.stdin is not None
    listened = False
    pids: set[int] = set()
    try:
        process.stdin.write(command.says.encode())
        process.stdin.flush()
        end = time.monotonic() + (_PATIENCE if command.listens else 6.0)
        while time.monotonic() < end and process.poll() is None:
            pids |= family(process.pid)
            for what, local in sockets(pids):
                if not local:
                    return f"it listens on {what}"
                listened = True
            if listened:
                break
            time.sleep(0.05)
    finally:
        process.stdin.close()
        for pid in sorted(family(process.pid) | pids):
            if pid != process.pid and _is_ours(pid, process.pid):
                os.kill(pid, signal.SIGKILL)
        process.kill()
        process.wait()
    if command.listens and not listened:
        return f"it was not seen to listen, and ended with {process.returncode}"
    return ""


def _is_ours(pid: int, session: int) -> bool:
    try:
        return os.getsid(pid) == session
    except OSError:
        return False


def refused(folder: Path, *words: str) -> str:
    """A command that must end with 2 and a sentence instead of listening."""
    process = subprocess.Popen(
        ludus_command("metrics", str(folder / "run"), "--port", "0", *words),
        env={**environment(HOME=str(folder)), "LUDUS_METRICS_TOKEN": ""},
        cwd=ROOT,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        said = process.communicate(timeout=_PATIENCE / 2)[1]
    except subprocess.TimeoutExpired:
        process.kill()
        process.communicate()
        return "it serves without a token"
    if process.returncode != 2 or "token" not in said:
        return f"it ended with {process.returncode}: {said.strip()[-200:]}"
    return ""


def run(budget: Budget) -> Outcome:
    """All commands, as often as the budget allows; the quickest alone with a small one."""
    outcome = Outcome("commands started")
    with new_run(budget.folder / "run") as made:
        commit(made, 1)
    chosen = COMMANDS if budget.minutes >= 5 else COMMANDS[:1]
    for turn in range(budget.count(3)):
        for command in chosen:
            folder = budget.folder / f"turn{turn}"
            folder.mkdir(exist_ok=True)
            if not (folder / "run").exists():
                (folder / "run").symlink_to(budget.folder / "run")
            outcome.trials += 1
            if wrong := watch(command, folder):
                outcome.fail("other", f"ludus {' '.join(command.words)}: {wrong}")
        for address in ("0.0.0.0", "::", "192.0.2.1")[: 3 if budget.minutes >= 5 else 1]:  # noqa: S104
            outcome.trials += 1
            if wrong := refused(budget.folder, "--address", address):
                outcome.fail("other", f"ludus metrics --address {address}: {wrong}")
    return outcome


def missing() -> str | None:
    """The tables of sockets are those of Linux."""
    return None if sys.platform == "linux" else "this is not Linux, which has /proc/net"
