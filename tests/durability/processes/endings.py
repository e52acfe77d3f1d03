"""P2: however a training ends, nothing of it is left: processes, files, sockets, the lock."""

from __future__ import annotations

import os
import random
import signal
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from tests.durability.experiment import Budget, Outcome
from tests.durability.places import ludus_command
from tests.durability.processes.trainings import (
    Command,
    Recipe,
    at_work,
    kill,
    newest,
    othello,
    run_quietly,
    wait_for,
)

from ludus.runs import Run, lock_holder, read_status, send_command

_GONE = 3.0
"""Seconds after an ending in which the last process must be gone."""

_MARK = "DURABILITY_TRIAL"
"""In the environment of all processes of a trial, those that left its session too."""


@dataclass
class Trial:
    """A training at work, about to be ended."""

    command: Command
    run: Path
    trainer: int
    rng: random.Random

    @property
    def supervisor(self) -> int:
        """The process that was started."""
        return self.command.process.pid

    def group(self, number: signal.Signals) -> None:
        """A signal to all, as a terminal sends it."""
        os.killpg(self.supervisor, number)


def _interrupt(trial: Trial) -> None:
    trial.group(signal.SIGINT)


def _interrupt_twice(trial: Trial) -> None:
    trial.group(signal.SIGINT)
    time.sleep(trial.rng.random() * 0.1)
    if not trial.command.over:
        trial.group(signal.SIGINT)


def _terminate(trial: Trial) -> None:
    kill(trial.supervisor, signal.SIGTERM)


def _hang_up(trial: Trial) -> None:
    trial.group(signal.SIGHUP)


def _stop(trial: Trial) -> None:
    if trial.rng.random() < 0.1:
        run_quietly(ludus_command("stop", "--run", str(trial.run)))
    else:
        send_command(trial.run, "stop")


def _kill_supervisor(trial: Trial) -> None:
    kill(trial.supervisor, signal.SIGKILL)


def _kill_trainer_of_a_stopped(trial: Trial) -> None:
    """The lock is free although the supervisor can clean nothing up; then that goes too."""
    kill(trial.supervisor, signal.SIGSTOP)
    kill(trial.trainer, signal.SIGKILL)
    wait_for(lambda: lock_holder(trial.run) is None, seconds=_GONE, pause=0.02)
    kill(trial.supervisor, signal.SIGKILL)


def _kill_supervisor_of_a_stopped(trial: Trial) -> None:
    """A stopped trainer reads no end of its input; the kernel must end it."""
    kill(trial.trainer, signal.SIGSTOP)
    kill(trial.supervisor, signal.SIGKILL)


@dataclass(frozen=True)
class Kind:
    """A way to end a training.

    Attributes:
        name: for the table.
        do: it.
        codes: exit codes that it may have; none where the supervisor is killed.
        commits: whether all work must have been committed, and the state be idle.
    """

    name: str
    do: Callable[[Trial], None]
    codes: tuple[int, ...] = ()
    commits: bool = False


KINDS = (
    Kind("SIGINT", _interrupt, (0,), True),
    Kind("SIGTERM", _terminate, (0,), True),
    Kind("SIGHUP", _hang_up, (0,), True),
    Kind("ludus stop", _stop, (0,), True),
    # The second one may find nobody who catches signals any more: shells call that 130 as well.
    Kind("SIGINT twice", _interrupt_twice, (0, 130, -signal.SIGINT)),
    Kind("SIGKILL of the supervisor", _kill_supervisor),
    Kind("SIGKILL of the trainer, supervisor stopped", _kill_trainer_of_a_stopped),
    Kind("SIGKILL of the supervisor, trainer stopped", _kill_supervisor_of_a_stopped),
)


def of_mark(mark: str) -> list[int]:
    """Processes with the mark in their environment."""
    wanted, found = f"{_MARK}={mark}".encode(), []
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                if wanted in (entry / "environ").read_bytes().split(b"\0"):
                    found.append(int(entry.name))
            except OSError:
                continue
    return found


def shared_names(pids: list[int]) -> set[str]:
    """Files in shared memory and unix sockets with a name that processes have open or mapped."""
    sockets, inodes = {}, set()
    for line in Path("/proc/net/unix").read_text().splitlines()[1:]:
        fields = line.split()
        if len(fields) > 7 and fields[7].startswith("/"):
            sockets[fields[6]] = fields[7]
    found: set[str] = set()
    for pid in pids:
        try:
            links = [os.readlink(link) for link in Path(f"/proc/{pid}/fd").iterdir()]
            maps = Path(f"/proc/{pid}/maps").read_text().split()
        except OSError:
            continue
        found |= {text for text in (*links, *maps) if text.startswith("/dev/shm/")}
        inodes |= {text[8:-1] for text in links if text.startswith("socket:[")}
    return found | {path for inode, path in sockets.items() if inode in inodes}


def _look(kind: Kind, trial: Trial, mark: str, temporary: Path, names: set[str]) -> str | None:
    """What is left behind, or wrong; None if all is as it must be."""
    code = trial.command.process.poll()
    if kind.codes and code not in kind.codes:
        return f"it ended with {code}: {trial.command.text()}"
    if not wait_for(lambda: not of_mark(mark), seconds=_GONE, pause=0.05):
        words = [Path(f"/proc/{pid}/cmdline").read_bytes()[-120:] for pid in of_mark(mark)]
        return f"after {_GONE:g} s there are processes: {words}"
    # A process that is being torn down has no environment any more, but may still have its files.
    if not wait_for(lambda: lock_holder(trial.run) is None, seconds=_GONE, pause=0.02):
        return f"the run is still held by {lock_holder(trial.run)}"
    there = [name for name in sorted(names) if os.path.lexists(name)]
    there += [str(entry) for entry in temporary.iterdir()]
    if there:
        return f"left behind: {there[:3]}"
    run, seen = trial.run, newest(trial.run)
    if kind.commits:
        status = read_status(run) or {}
        if status.get("state") != "idle":
            return f"the status says {status.get('state')}"
        left = [*run.rglob("*.tmp"), *(run / "control").iterdir()]
        if left:
            return f"left behind in the run: {left[:3]}"
    with Run.open(run, write=True) as opened:
        bad = [text for text in opened.notices if "FALLBACK" in text or "lost" in text]
        if bad or opened.manifest.sequence != seen:
            return f"it stands at commit {opened.manifest.sequence} of {seen}: {bad}"
        if kind.commits and opened.manifest.progress.get("left") != "idle":
            return "the last commit does not say that it was stopped: work was lost"
        left = [*run.rglob("*.tmp"), *(run / "control").iterdir()]
        if left:
            return f"opening the run left {left[:3]}"
    return None


def _one(kind: Kind, recipe: Recipe, run: Path, number: int, rng: random.Random) -> str | None:
    mark = f"{os.getpid()}-{run.name}-{number}"
    temporary = run.with_name(f"{run.name}-tmp{number}")
    temporary.mkdir()
    more = () if number % 5 else ("--metrics-port", "0")  # a companion beside the supervisor
    command = Command(
        [*recipe.words(run, "runtime.lanes=1"), *more],
        run.with_suffix(".said"),
        report=number % 10 == 0,
        TMPDIR=str(temporary),
        **{_MARK: mark},
    )
    try:
        ready = wait_for(lambda: at_work(run, command.trainer()) or command.over, pause=0.02)
        trainer = command.trainer()
        if not ready or trainer is None:
            return f"it did not begin to work: {command.text()}"
        time.sleep(rng.random() * 0.4)
        names = shared_names(of_mark(mark))
        trial = Trial(command, run, trainer, rng)
        kind.do(trial)
        if not wait_for(lambda: command.over, seconds=90.0, pause=0.02):
            return "it did not end within 90 s"
        return _look(kind, trial, mark, temporary, names)
    finally:
        for pid in of_mark(mark):
            kill(pid, signal.SIGKILL)
        command.end()


def endings(budget: Budget) -> Outcome:
    """Fifty endings of each kind."""
    outcome = Outcome("endings")
    recipe = othello(budget.folder, games=10**9)
    rng = budget.random("endings")
    for kind in KINDS:
        run = budget.folder / kind.name.replace(" ", "-").replace(",", "")
        count = budget.count(50)
        for number in range(count):
            wrong = _one(kind, recipe, run, number, rng)
            outcome.trials += 1
            if wrong is not None:
                outcome.fail("other", f"{kind.name}, trial {number}: {wrong}")
                break
        outcome.figures[kind.name] = number + 1
        if outcome.failed and budget.minutes < 1:
            break  # one is enough to know that something is wrong
    return outcome
