"""Commands to a running job: one file each in ``control/``, or ``control.signal`` by hand."""

from __future__ import annotations

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
_FOREIGN = re.compile(
    rf"^(?!\.|{re.escape(layout.SIGNAL)}$|[0-9]{{20}}-[A-Za-z0-9-]+\.(json|signal)$).*"
)
# A hand-written file without a last newline may still be being written: leave it this long.
_SETTLE_SECONDS = 0.25
# A file that is no signal at all (a picture, a log) is not told of line by line.
_TOLD_LINES = 5
# Each line becomes a file. Nobody writes so many by hand.
_MOST_LINES = 1000


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
        raise RunError(f"{name[:40]!r} is no command to a run: use one of {', '.join(COMMANDS)}")
    if name == "pause" and args.get("at", "iteration") != "iteration":
        raise RunError(
            f"a pause at {str(args['at'])[:40]!r} cannot be: leave it out, or 'iteration'"
        )
    if name == "set" and not (isinstance(args.get("key"), str) and "value" in args):
        raise RunError("the command set needs key=value, such as SET search.budget=64")


def parse_signal(line: str) -> Command:
    """A line of ``control.signal``: PAUSE, RESUME (or CONTINUE), STOP, SAVE, SET key=value.

    ``PAUSE ITERATION`` pauses at the end of the iteration. Upper or lower case and blanks around
    it do not matter. Raises RunError for anything else.
    """
    word, _, rest = line.strip().partition(" ")
    name = {"continue": "resume"}.get(word.lower(), word.lower())
    args: dict[str, Any] = {}
    if name == "set":
        key, equals, value = rest.partition("=")
        args = {"key": key.strip(), "value": value.strip()} if equals and key.strip() else {}
    elif name == "pause" and rest.strip().lower() == "iteration":
        args = {"at": "iteration"}
    elif rest.strip():
        raise RunError(f"{line.strip()[:80]!r} in {layout.SIGNAL} has more than the command")
    _check(name, args)
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
        self._stuck: set[Path] = set()
        self._foreign: set[str] = set()

    def poll(self) -> list[Command]:
        """New commands in the order to be obeyed, which is that of their files' names.

        The lines of ``control.signal`` become files of their own. A command file stays until
        :meth:`done`, and is given out once. Damaged or unknown commands are removed and reported.
        Errors of the disk are reported too and never raised. What cannot be removed is reported
        once, not at each look.
        """
        commands: list[Command] = []
        for path in self._signals:
            self._claim(path)
        self._tell_foreign()
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
                self._refuse(self._directory / name, str(error))
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
            names = sorted(os.listdir(self._directory))
        except OSError as error:
            if report and self._directory not in self._stuck:
                self._stuck.add(self._directory)
                self._on_refused(f"{self._directory} cannot be read: {error.strerror}")
            return []
        self._stuck.discard(self._directory)
        return [name for name in names if form.fullmatch(name)]

    def _tell_foreign(self) -> None:
        """Say once of each file in the folder that it cannot be a command by its name."""
        names = set(self._names(_FOREIGN))
        self._foreign &= names
        for name in sorted(names - self._foreign):
            self._foreign.add(name)
            self._on_refused(
                f"{self._directory / name} is no command: names are 20 digits, '-', letters or "
                "digits, '.json' (write it under a name that begins with '.', then rename it)"
            )

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
        except RunError as error:
            self._refuse(path, str(error))
        except OSError as error:
            self._refuse(path, f"{path} cannot be taken: {error.strerror}")

    def _unfold(self, name: str) -> list[Command]:
        """Make each line of a claimed file a command file, so that none is lost by a kill.

        The names follow from that of the claimed file: done again after a kill, nothing is there
        twice. Where the disk refuses, the commands are given out as they are.
        """
        path = self._directory / name
        if path in self._stuck:  # obeyed, and could not be removed
            return []
        try:
            lines = read_file(path, _SIZE_LIMIT).decode("utf-8", "replace").splitlines()
        except FileNotFoundError:
            return []
        except RunError as error:
            self._refuse(path, str(error))
            return []
        lines = [line for line in lines if line.strip()]
        without_file: list[Command] = []
        refused = 0
        for number, line in enumerate(lines):
            try:
                if number >= _MOST_LINES:
                    raise RunError(f"{layout.SIGNAL} has more than {_MOST_LINES} lines")
                command = parse_signal(line)
            except RunError as error:
                refused += 1
                if refused <= _TOLD_LINES:
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
        if refused > _TOLD_LINES:
            more = refused - _TOLD_LINES
            self._on_refused(f"{more} more lines of {layout.SIGNAL} are no commands either")
        self._remove(path)
        return without_file

    def _refuse(self, path: Path, reason: str) -> None:
        """Remove what is no command, and say why; where it cannot go, only the first time."""
        told = path in self._stuck
        if self._remove(path):
            self._on_refused(reason)
        elif not told:
            self._on_refused(f"{reason}; it cannot be removed either: remove it by hand")

    def _remove(self, path: Path) -> bool:
        """Whether nothing of that name is left."""
        try:
            os.unlink(path)
        except FileNotFoundError:
            pass
        except OSError:
            try:
                os.rmdir(path)  # a planted directory of that name
            except OSError:
                self._stuck.add(path)
                return False
        self._stuck.discard(path)
        return True
