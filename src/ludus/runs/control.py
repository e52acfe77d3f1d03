"""Commands to a running job: one file each in ``control/``, or ``control.signal`` by hand."""

from __future__ import annotations

import contextlib
import os
import re
import secrets
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ludus.errors import CorruptError, RunError
from ludus.runs import layout
from ludus.runs.jsonio import canonical_json, strict_json
from ludus.runs.objects import NameTakenError, NewFile, SaveError, read_file

COMMANDS = ("pause", "resume", "stop", "save", "set")
"""What a run can be told. ``set`` has the arguments ``key`` and ``value`` (a text)."""

_SIZE_LIMIT = 64 * 1024
_NAME = re.compile(r"^[0-9]{20}-[A-Za-z0-9-]+\.json$")
_CLAIMED = re.compile(r"^[0-9]{20}-[A-Za-z0-9-]+\.signal$")
# A hand-written file without a last newline may still be being written: leave it this long.
_SETTLE_SECONDS = 0.25


@dataclass(frozen=True)
class Command:
    """A command to the run.

    Attributes:
        name: one of :data:`COMMANDS`.
        args: its arguments, such as ``{"at": "iteration"}`` of a pause.
        source: name of the file that it came in, for the log.
    """

    name: str
    args: Mapping[str, Any] = field(default_factory=dict)
    source: str = ""


def send_command(run: str | Path, name: str, **args: Any) -> Path:
    """Leave a command for the process that trains `run`; returns the file.

    The commands of one sender are obeyed in the order sent. Commands that nobody obeyed are
    cleared when a process takes the run, so ask first whether one is there (``lock_holder``).

    Raises:
        RunError: not a run directory, or an unknown command.
        SaveError: the file could not be written.
    """
    path = layout.require_run(Path(run))
    _check(name, args)
    document = canonical_json({"command": name, "args": args})
    directory = path / layout.CONTROL
    for attempt in (1, 2):
        file_name = f"{time.time_ns():020d}-{os.getpid()}-{secrets.token_hex(3)}.json"
        try:
            with NewFile(directory, "command") as file:
                file.write(document)
                return file.place(file_name, durable=False)
        except SaveError:
            # A process that takes the run right now may have swept the temporary file.
            if attempt == 2:
                raise
    raise AssertionError("unreachable")


def _check(name: str, args: Mapping[str, Any]) -> None:
    if name not in COMMANDS:
        raise RunError(f"{name!r} is no command to a run: use one of {', '.join(COMMANDS)}")
    if name == "set" and not (isinstance(args.get("key"), str) and "value" in args):
        raise RunError("the command set needs key=value, such as SET search.simulations=64")


def parse_signal(line: str) -> Command:
    """A line of ``control.signal``: PAUSE, RESUME (or CONTINUE), STOP, SAVE, SET key=value.

    Upper or lower case, blanks around it do not matter. Raises RunError for anything else.
    """
    word, _, rest = line.strip().partition(" ")
    name = {"continue": "resume"}.get(word.lower(), word.lower())
    args: dict[str, Any] = {}
    if name == "set":
        key, equals, value = rest.partition("=")
        args = {"key": key.strip(), "value": value.strip()} if equals and key.strip() else {}
    elif rest.strip():
        raise RunError(f"{line.strip()[:80]!r} in {layout.SIGNAL} has more than the command")
    _check(name[:40], args)
    return Command(name, args, layout.SIGNAL)


class ControlReader:
    """The receiving end, for the process that holds the run's lock. Looking costs microseconds."""

    def __init__(self, run: Path, *, on_refused: Callable[[str], None]) -> None:
        """`on_refused` is told why a command was removed without being obeyed."""
        self._directory = run / layout.CONTROL
        # The place named in the documents, and the one where people also look for it.
        self._signals = (run / layout.SIGNAL, run / layout.CONTROL / layout.SIGNAL)
        self._on_refused = on_refused
        self._given: set[str] = set()

    def poll(self) -> list[Command]:
        """New commands in the order to be obeyed, which is that of their files' names.

        The lines of ``control.signal`` become files of their own. A command file stays until
        :meth:`done`, and is given out once. Damaged or unknown commands are removed and reported.
        Errors of the disk are reported too and never raised.
        """
        commands: list[Command] = []
        for path in self._signals:
            self._claim(path)
        for name in self._names(_CLAIMED, report=True):
            commands.extend(self._unfold(name))
        for name in self._names(_NAME):
            if name in self._given:
                continue
            try:
                commands.append(self._read(name))
                self._given.add(name)
            except FileNotFoundError:
                continue
            except RunError as error:
                self._remove(self._directory / name)
                self._on_refused(str(error))
        return commands

    def settle(self, names: Iterable[str]) -> None:
        """Clear commands that a process before this one has obeyed and committed, by source."""
        for name in names:
            if _NAME.fullmatch(name) is not None:
                self._remove(self._directory / name)

    def done(self, command: Command) -> None:
        """Clear a command that was obeyed (or refused by the loop)."""
        if command.source != layout.SIGNAL and command.source in self._given:
            self._remove(self._directory / command.source)

    def clear(self) -> list[str]:
        """Remove all commands unobeyed; returns what they were. For the moment of taking a run."""
        names = self._names(_NAME)
        cleared = [self._describe(name) for name in names]
        for name in self._names(_CLAIMED):
            names.append(name)
            cleared.append(layout.SIGNAL)
        for name in names:
            self._remove(self._directory / name)
        for path in self._signals:
            if os.path.lexists(path):
                self._remove(path)
                cleared.append(layout.SIGNAL)
        self._given.clear()
        return cleared

    def _names(self, form: re.Pattern[str], *, report: bool = False) -> list[str]:
        try:
            return [name for name in sorted(os.listdir(self._directory)) if form.fullmatch(name)]
        except OSError as error:
            if report:
                self._on_refused(f"{self._directory} cannot be read: {error.strerror}")
            return []

    def _describe(self, name: str) -> str:
        try:
            return self._read(name).name
        except (OSError, RunError):
            return name

    def _read(self, name: str) -> Command:
        document = strict_json(read_file(self._directory / name, _SIZE_LIMIT), f"command {name}")
        command, args = document.get("command"), document.get("args", {})
        if not isinstance(command, str) or not isinstance(args, dict):
            raise CorruptError(f"command {name} is damaged: it needs a command and args")
        _check(command, args)
        return Command(command, args, name)

    def _claim(self, path: Path) -> None:
        """Take a hand-written file away, once it is whole: what is written meanwhile is new."""
        try:
            data = read_file(path, _SIZE_LIMIT)
            age = time.time() - os.stat(path).st_mtime
            if not data.endswith(b"\n") and 0.0 <= age < _SETTLE_SECONDS:
                return
            claimed = f"{time.time_ns():020d}-{os.getpid()}-{secrets.token_hex(3)}.signal"
            os.rename(path, self._directory / claimed)
        except FileNotFoundError:
            return
        except (OSError, RunError) as error:
            self._remove(path)
            self._on_refused(str(error))

    def _unfold(self, name: str) -> list[Command]:
        """Make each line of a claimed file a command file, so that none is lost by a kill.

        The names follow from that of the claimed file: done again after a kill, nothing is there
        twice. Where the disk refuses, the commands are given out as they are.
        """
        path = self._directory / name
        try:
            lines = read_file(path, _SIZE_LIMIT).decode("utf-8", "replace").splitlines()
        except FileNotFoundError:
            return []
        except (OSError, RunError) as error:
            self._remove(path)
            self._on_refused(str(error))
            return []
        without_file: list[Command] = []
        for number, line in enumerate(line for line in lines if line.strip()):
            try:
                command = parse_signal(line)
            except RunError as error:
                self._on_refused(str(error))
                continue
            document = canonical_json({"command": command.name, "args": dict(command.args)})
            try:
                with NewFile(self._directory, "command") as file:
                    file.write(document)
                    file.place(f"{name.removesuffix('.signal')}-{number:05d}.json", durable=False)
            except NameTakenError:
                continue
            except SaveError:
                without_file.append(command)
        self._remove(path)
        return without_file

    def _remove(self, path: Path) -> None:
        try:
            os.unlink(path)
        except FileNotFoundError:
            return
        except OSError as error:
            with contextlib.suppress(OSError):
                os.rmdir(path)  # a planted directory of that name
                return
            self._on_refused(f"{path} cannot be removed: {error.strerror}")
