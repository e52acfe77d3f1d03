"""P13: commands from files, the signal file and functions, against a model, with kills in between.

What receives them is the product: ``send_command``, ``ControlReader``, ``Commands`` and the commit
of a session. What a command does is noted instead of done, so that a million fit into minutes;
time is that of the test. ``processes/orders.py`` does the same to real trainings, with less of it.
"""

from __future__ import annotations

import itertools
import json
import os
import random
import shutil
import zlib
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from unittest import mock

from tests.durability.experiment import Budget, Outcome
from tests.runs.helpers import Crash, FaultyOs

from ludus.errors import UserError
from ludus.runs import control as control_module
from ludus.runs import objects as objects_module
from ludus.runs import send_command
from ludus.runs.control import ControlReader
from ludus.training import commands as commands_module
from ludus.training.commands import Commands
from ludus.training.messages import Sender
from ludus.training.phases import Leave
from ludus.training.session import Session

_ROUND = 400
"""Commands in a history that begins with an empty directory."""
_NOW = 1e9
_BAD_LINES = ("JUMP", "SET", "PAUSE now", "{}", "set =1", "\x00", "SAVE it")
_BAD_FILES = (b"", b"{", b'{"command": "fly"}', b'{"command": "set", "args": {}}', b"[]", b"\xff")


class Ledger:
    """What was done, as a count and a checksum over all of it in order."""

    def __init__(self, state: tuple[int, int, int | None] = (0, 0, None)) -> None:
        self.count, self.sum, self.pausing = state

    def note(self, what: str) -> None:
        """One more thing is done."""
        self.count, self.sum = self.count + 1, zlib.crc32(what.encode(), self.sum)

    @property
    def state(self) -> tuple[int, int, int | None]:
        """All of it."""
        return self.count, self.sum, self.pausing


class Bare(Session):
    """A session that knows of commands and commits, and of nothing to train."""

    phases = ("selfplay",)
    phase_objects = ()

    def __init__(self, run: Any) -> None:
        model = SimpleNamespace(unit=0, ref=SimpleNamespace(path="x", sha256="x"))
        super().__init__(run, SimpleNamespace(rules=None), SimpleNamespace(), 1)  # type: ignore[arg-type]
        self.first = self.champion = model  # type: ignore[assignment]
        self.ledger = Ledger()

    def objects(self) -> dict[str, Any]:
        return {}

    def before_commit(self) -> None:
        self.changed = {"ledger": self.ledger.state}


Bare.__abstractmethods__ = frozenset()  # what learning needs is never asked for


class World:
    """The real receiver and the model of it, over one directory.

    Attributes:
        sent: commands so far.
        wrong: the first thing that differed, None if nothing did.
    """

    def __init__(self, path: Path, random_numbers: random.Random) -> None:
        self.path, self.random = path, random_numbers
        (path / "manifests").mkdir(parents=True)
        (path / "manifests" / "000001.json").write_text("{}")
        (path / "control").mkdir()
        self.sent = 0
        self.wrong: str | None = None
        self._names = itertools.count()
        self.committed: dict[str, Any] = {}  # what is on the disk
        # the model
        self.files: list[tuple[str, Any]] = []  # sent and not committed, in order
        self.lines: list[list[tuple[str, Any]]] = [[], []]
        self.done = 0  # of self.files, obeyed since the last commit
        self.ledger = Ledger()
        self.kept = Ledger().state
        self.told: list[str] = []
        self.starts = 0
        self._begin(fresh=True)

    # -- processes ---------------------------------------------------------------------------

    def _begin(self, *, fresh: bool) -> None:
        """A process takes the run, as ``Run.open`` and ``open_session`` do with its commands."""
        self.control = ControlReader(self.path, on_refused=self.told.append)
        run = SimpleNamespace(
            path=self.path,
            control=self.control,
            iterations=[],
            watchers=[],
            events=SimpleNamespace(append_if_possible=lambda *a, **k: True),
            cadence=SimpleNamespace(hasten=lambda: None),
            manifest=SimpleNamespace(progress=self.committed, objects={}),
            commit=self._keep,
        )
        if fresh:
            self.control.clear()
            self._model_start()
        self.session = Bare(run)
        self.session.ledger = Ledger(
            tuple(self.committed.get("changed", {}).get("ledger", (0, 0, None)))
        )  # type: ignore[arg-type]
        self.session.pausing = self.committed.get("pausing")
        self.control.settle(self.committed.get("obeyed") or ())
        self.commands = Commands(self.session, Sender(None), self._commit)
        self.ledger = Ledger(self.kept)
        self.done = 0

    def _committed_state(self) -> tuple[int, int, int | None]:
        count, total, pausing = self.committed.get("changed", {}).get("ledger", (0, 0, None))
        return count, total, pausing

    def _model_start(self) -> None:
        """A start by a person obeys nothing that was left."""
        self.starts += 1
        self.files.clear()
        self.lines = [[], []]

    def _keep(self, progress: Mapping[str, Any], objects: Any, **more: Any) -> None:
        """The commit of the fake run: durable from here on."""
        self.committed = json.loads(json.dumps(progress))
        if self.crash_after_commit:
            self.crash_after_commit = False
            raise Crash

    crash_after_commit = False

    def _commit(self) -> None:
        self.session.commit({}, None)

    # -- what is done ------------------------------------------------------------------------

    def send(self) -> None:
        """A command by one of the ways."""
        self.sent += 1
        way = self.random.random()
        number = next(self._names)
        kind = self.random.choices(
            ("set", "resume", "save", "pause-iteration", "pause", "stop"), (60, 12, 6, 8, 2, 1)
        )[0]
        args = {"key": "a.b", "value": str(number)} if kind == "set" else {}
        if kind == "pause-iteration":
            kind, args = "pause", {"at": "iteration"}
        if way < 0.6:
            send_command(self.path, kind, **args)
            self.files.append((kind, args))
        elif way < 0.66:
            name = f"{control_module.time.time_ns():020d}-1-bad{number}.json"
            (self.path / "control" / name).write_bytes(self.random.choice(_BAD_FILES))
        else:
            self._by_hand(kind, args)

    def _by_hand(self, kind: str, args: Mapping[str, Any]) -> None:
        where = self.random.randrange(2)
        line = {"set": f"SET {args.get('key')}={args.get('value')}", "pause": "Pause"}.get(
            kind, kind
        )
        if args.get("at"):
            line = "pause ITERATION"
        if kind == "resume" and self.random.random() < 0.5:
            line = "continue"
        if self.random.random() < 0.1:
            line, kind = self.random.choice(_BAD_LINES), ""
        file = (self.path / "control.signal", self.path / "control" / "control.signal")[where]
        if (
            len(line) > 1 and self.random.random() < 0.1
        ):  # slowly: a look falls into the middle of the line
            with file.open("a") as out:
                out.write(line[:-1])
            os.utime(file, (_NOW, _NOW))
            starts = self.starts
            self.look()
            if self.starts != starts:
                return  # a start by a person in between has cleared it
            if not file.exists():
                self.wrong = self.wrong or f"half a line was taken: {line[:-1]!r} of {line!r}"
        else:
            with file.open("a") as out:
                out.write(line[:-1])
        with file.open("a") as out:
            out.write(line[-1] + "\n")
        if kind:
            self.lines[where].append((kind, dict(args)))

    def look(self) -> None:
        """The trainer obeys what has come."""
        half = [
            (self.path / name).exists() and not (self.path / name).read_bytes().endswith(b"\n")
            for name in ("control.signal", "control/control.signal")
        ]
        for where in (0, 1):
            if not half[where]:
                self.files += self.lines[where]
                self.lines[where] = []
        left = self._model_look()
        try:
            self.commands.obey_all()
            really = None
        except Leave as leave:
            really = leave.state
        if (left is None) != (really is None):
            self.wrong = self.wrong or f"the model leaves with {left}, the trainer with {really}"
        if really is not None:
            self.session.left, self.session.pausing = really, None
            self.ledger.pausing = None
            self.commit()
            self._model_start()
            self._begin(fresh=True)
        self.compare()

    def _model_look(self) -> str | None:
        while self.done < len(self.files):
            kind, args = self.files[self.done]
            self.done += 1
            if kind == "save":
                self._model_commit(self.done - 1)
                self.ledger.note("save")
                self._model_commit(1)
            elif kind == "set":
                self.ledger.note(f"{args['key']}={args['value']}")
            elif kind == "resume":
                self.ledger.pausing = None
            elif args:
                self.ledger.pausing = 0
            else:
                return kind
        return None

    def _model_commit(self, done: int) -> None:
        del self.files[:done]
        self.done -= done
        self.kept = self.ledger.state

    def commit(self) -> None:
        """All of it becomes durable."""
        self._model_commit(self.done)
        self._commit()
        self.compare()

    def die(self) -> None:
        """SIGKILL, then the supervisor starts another process, which finds the same commands."""
        self._begin(fresh=False)
        self.compare()

    def die_in_commit(self) -> None:
        """SIGKILL between the commit and the removal of the files of its commands."""
        self._model_commit(self.done)
        self.crash_after_commit = True
        with suppress(Crash):
            self._commit()
        self.die()

    def die_in_look(self) -> None:
        """SIGKILL at one of the system calls while commands are collected."""
        broken = FaultyOs(self.random.randrange(1, 12), Crash)
        with (
            mock.patch.object(control_module, "os", broken),
            mock.patch.object(objects_module, "os", broken),
            suppress(Crash),
        ):
            self.control.poll()
        self.die()
        if broken.crashed:  # a claimed file is whole again when the next process has looked
            self.look()

    def compare(self) -> None:
        """The trainer has done what the model has, and committed what it has."""
        if self.wrong is not None:
            return
        real, model = self.session.ledger, self.ledger
        if (real.count, real.sum, self.session.pausing) != model.state:
            self.wrong = (
                f"after {self.sent} commands {real.count} were done, {model.count} in the model; "
                f"pausing {self.session.pausing}, in the model {model.pausing}"
            )
        kept = self._committed_state()
        if kept[:2] != self.kept[:2]:
            self.wrong = self.wrong or f"{kept[0]} are committed, {self.kept[0]} in the model"

    def end(self) -> None:
        """Everything is obeyed and committed: nothing is left for a later start."""
        self.look()
        self.commit()
        left = [name for name in os.listdir(self.path / "control") if not name.startswith(".")]
        if left and self.wrong is None:
            self.wrong = f"{len(left)} files of commands were left: {sorted(left)[:3]}"


@contextmanager
def noting() -> Iterator[None]:
    """Commands are noted instead of done; names of files follow a clock that only grows."""
    clock = itertools.count(1)
    times = SimpleNamespace(time_ns=lambda: next(clock), time=lambda: _NOW + 0.1)

    def set_by_command(session: Bare, assignment: str) -> list[str]:
        session.ledger.note(assignment)
        return []

    def save_checkpoint(session: Bare, *, permanent: bool, command: str) -> str:
        session.ledger.note("save")
        return command

    with (
        mock.patch.object(commands_module, "set_by_command", set_by_command),
        mock.patch.object(commands_module, "tell_idle_options"),
        mock.patch.object(commands_module, "save_checkpoint", save_checkpoint),
        mock.patch.object(commands_module, "saved_for", return_value=None),
        mock.patch.object(control_module, "time", times),
    ):
        yield


def history(path: Path, random_numbers: random.Random, commands: int) -> World:
    """One history; stops where something differs."""
    world = World(path, random_numbers)
    with noting():
        while world.sent < commands and world.wrong is None:
            do = random_numbers.choices(
                (
                    world.send,
                    world.look,
                    world.commit,
                    world.die,
                    world.die_in_commit,
                    world.die_in_look,
                ),
                (100, 25, 4, 1, 1, 1),
            )[0]
            do()
        world.end()
    return world


def run(budget: Budget) -> Outcome:
    """Histories of commands."""
    outcome = Outcome("commands")
    wanted, number = budget.count(200_000, 2_000), 0
    while outcome.trials < wanted:
        number += 1
        folder = budget.folder / "history"
        try:
            world = history(folder, budget.random("commands", number), _ROUND)
        except (UserError, Crash) as error:
            outcome.trials += _ROUND
            outcome.fail("other", f"history {number} of seed {budget.seed}: {error!r}")
        else:
            outcome.trials += world.sent
            if world.wrong is not None:
                outcome.fail("lost", f"history {number} of seed {budget.seed}: {world.wrong}")
        shutil.rmtree(folder)
    outcome.figures["histories"] = number
    return outcome
