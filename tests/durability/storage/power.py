"""R2: the power goes at random moments; what was acknowledged is there, nothing torn is taken."""

from __future__ import annotations

import contextlib
import os
import random
import select
import shutil
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from tests.durability.experiment import Budget, Outcome
from tests.durability.storage.common import fork, unheard
from tests.runs.disks import KINDS, Disk
from tests.runs.helpers import check, commit, new_run, weights

from ludus.errors import LudusError
from ludus.runs import KeepLast, Run, is_run, list_checkpoints, verify_checkpoint

MODES = ("idle", "busy", "idle after a checkpoint", "starting", "busy", "at birth")
"""When the power goes. Idle is when no later flush can carry what an earlier one forgot."""

_FRESH_AFTER = 400  # commits of a run, whose history would make each trial slower
_PATIENCE = 60.0


@dataclass
class Acknowledged:
    """What a writer said was safe: by words, one a line."""

    lines: list[str] = field(default_factory=list)

    @property
    def commit(self) -> int | None:
        """The last commit, if any."""
        numbers = [int(line) for line in self.lines if line.isdigit()]
        return numbers[-1] if numbers else None

    @property
    def checkpoint(self) -> str | None:
        """The last checkpoint, if any."""
        paths = [line[2:] for line in self.lines if line.startswith("c ")]
        return paths[-1] if paths else None


Say = Callable[[str], None]


def write(path: Path, say: Say, commits: int | None, checkpoint: bool) -> None:
    """Commit for ever, or so often and then be idle; a checkpoint now and then."""
    with Run.open(path, write=True) as run:
        done = 0
        while commits is None or done < commits:
            number = len(run.iterations)
            commit(run, number)
            say(str(number))
            done += 1
            if commits is None and number % 3 == 2:
                save(run, number, say)
        if checkpoint:
            save(run, len(run.iterations), say)
        say("idle")
        signal.pause()


def save(run: Run, unit: int, say: Say) -> None:
    """A checkpoint for users."""
    entry, _ = run.save_checkpoint(
        weights(unit), {}, unit=unit, policy=KeepLast(3), parameters=9, compress=unit % 2
    )
    say(f"c {entry.path}")


class Writer:
    """A child that writes to a disk and acknowledges through a pipe."""

    def __init__(self, act: Callable[[Say], None]) -> None:
        """Start it."""
        ours, theirs = os.pipe()

        def in_child() -> None:
            os.close(ours)
            # The disk vanishes below it: whatever it says then does not matter.
            with contextlib.suppress(LudusError, OSError):
                act(lambda line: (os.write(theirs, f"{line}\n".encode()), None)[1])

        self._child = fork(in_child)
        os.close(theirs)
        self._pipe = ours
        self._text = b""

    def hear(self, until: Callable[[str], bool]) -> bool:
        """Listen until the last line is as wanted; False if the child ended before."""
        end = time.monotonic() + _PATIENCE
        while True:
            lines = self._text.decode().splitlines()
            if lines and self._text.endswith(b"\n") and until(lines[-1]):
                return True
            ready, _, _ = select.select([self._pipe], [], [], max(0.0, end - time.monotonic()))
            piece = os.read(self._pipe, 65536) if ready else b""
            if not piece:
                return False
            self._text += piece

    def kill(self) -> Acknowledged:
        """End it; returns all that it had said."""
        os.kill(self._child, signal.SIGKILL)
        os.waitpid(self._child, 0)
        while piece := os.read(self._pipe, 65536):
            self._text += piece
        os.close(self._pipe)
        return Acknowledged(self._text.decode().splitlines())


def cut_once(disk: Disk, path: Path, mode: str, rng: random.Random) -> Acknowledged | str:
    """One power cut; what had been acknowledged, or why the trial says nothing."""
    if mode == "at birth":
        shutil.rmtree(path)
        os.sync()

        def born(say: Say) -> None:
            with new_run(path):
                say("born")
                signal.pause()

        writer = Writer(born)
        wait = rng.random() * 0.03
    elif mode.startswith("idle"):
        commits, checkpoint = rng.randrange(1, 4), "checkpoint" in mode
        writer = Writer(lambda say: write(path, say, commits, checkpoint))
        if not writer.hear(lambda line: line == "idle"):
            writer.kill()
            return "the writer ended by itself"
        wait = 0.0
    else:
        writer = Writer(lambda say: write(path, say, None, False))
        wait = rng.random() * (0.03 if mode == "starting" else 0.2)
        if mode == "busy" and not writer.hear(lambda line: True):
            writer.kill()
            return "the writer ended by itself"
    time.sleep(wait)
    disk.cut()
    said = writer.kill()
    disk.unmount()
    disk.mount()
    return said


def look(path: Path, before: int, said: Acknowledged) -> tuple[str, str] | None:
    """What is wrong after the power came back, with its kind."""
    last = before if said.commit is None else said.commit
    try:
        with Run.open(path, write=True) as run:
            if run.fresh:
                number = -1
            else:
                number = int(run.manifest.progress["number"])
                check(run, number)
            if number < last:
                return "lost", f"commit {last} was acknowledged and the run stands at {number}"
            if number > last + 1:
                return "other", f"commit {number} is there and {last} was the last"
            if run.notices:
                return "torn", run.notices[0][:300]
        for entry in list_checkpoints(path):
            verify_checkpoint(path / entry.path)
        if said.checkpoint is not None and not (path / said.checkpoint).is_file():
            return "lost", f"checkpoint {said.checkpoint} was acknowledged and is not there"
    except AssertionError as error:
        return "torn", f"commit {last}: {error}"
    except LudusError as error:
        return "lost", f"after commit {last}: {type(error).__name__}: {error}"
    return None


@contextmanager
def disks(folder: Path, outcome: Outcome) -> Iterator[list[Disk]]:
    """One of each kind that can be had here."""
    made: list[Disk] = []
    try:
        for kind in KINDS:
            missing = kind.missing
            if missing is None:
                try:
                    made.append(Disk(folder / kind.name.replace(" ", "-"), kind))
                except subprocess.CalledProcessError as error:
                    missing = f"{kind.name} cannot be mounted here: {error}"
            if missing is not None:
                outcome.skipped.append(missing)
        yield made
    finally:
        for disk in made:
            disk.remove()


def one_trial(disk: Disk, mode: str, rng: random.Random) -> tuple[str, str] | None:
    """Cut and look; what is wrong, with its kind."""
    path = disk.path / "run"
    if not is_run(path):
        new_run(path).close()
    with Run.open(path, write=False) as run:
        before = -1 if run.fresh else int(run.manifest.progress["number"])
    if before > _FRESH_AFTER:
        shutil.rmtree(path)
        new_run(path).close()
        before = -1
    said = cut_once(disk, path, mode, rng)
    if isinstance(said, str):
        return "other", said
    if mode == "at birth":
        if not is_run(path):
            if said.lines:
                return "lost", "a run was made and is not there"
            shutil.rmtree(path, ignore_errors=True)
            return None
        before = -1
    return look(path, before, said)


def run(budget: Budget) -> Outcome:
    """Cut the power of each kind of disk in turn, in each mode."""
    outcome = Outcome("power cuts")
    with unheard(), disks(budget.folder, outcome) as made:
        for trial in range(budget.count(300, 3) if made else 0):
            disk, mode = made[trial % len(made)], MODES[trial // len(made) % len(MODES)]
            try:
                wrong = one_trial(disk, mode, budget.random("cut", trial))
            except Exception as error:  # noqa: BLE001 - counted, with what repeats it
                wrong = ("other", f"{type(error).__name__}: {error}")
            outcome.trials += 1
            name = f"cuts of {disk.kind.name}"
            outcome.figures[name] = int(outcome.figures.get(name, 0)) + 1
            if wrong is not None:
                kind, what = wrong
                outcome.fail(kind, f"cut {trial} of {disk.kind.name}, {mode}: {what}")  # type: ignore[arg-type]
                shutil.rmtree(disk.path / "run", ignore_errors=True)
    return outcome


def missing() -> str | None:
    """Why no disk can be mounted here."""
    return KINDS[0].missing
