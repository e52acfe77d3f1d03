"""Two revisions measured in alternating turns, each in a process of its own."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TextIO

from ludus.errors import LudusError
from ludus.measure.comparison import (
    Comparison,
    compare_apart,
    compare_together,
    rates_of,
)
from ludus.measure.figures import Figure, Goal

_SIDE = Path(__file__).with_name("side.py")


class SideError(LudusError):
    """A side broke off; the text is its last line."""

    def __init__(self, side: Side, text: str) -> None:
        super().__init__(text)
        self.side = side


class Side:
    """A process that measures one benchmark of one revision, a turn at a time."""

    def __init__(
        self,
        benchmark: Path,
        *,
        source: Path | None,
        core: Path | None,
        quick: bool,
        log: TextIO,
        title: str,
    ) -> None:
        """Start it.

        Args:
            benchmark: the file.
            source: folder of the revision's package; None for the package in use.
            core: compiled core to use; None for the one of the package.
            quick: as of the benchmark.
            log: gets what the side prints.
            title: of the side, for sentences.
        """
        command = [sys.executable, "-P", str(_SIDE), str(benchmark)]
        command += ["--own"] if source is None else ["--source", str(source)]
        command += [] if core is None else ["--core", str(core)]
        command += ["--quick"] if quick else []
        # As in ludus.cli.main: one thread an operator, set before torch is imported.
        environment = {"OMP_NUM_THREADS": "1", "OMP_WAIT_POLICY": "PASSIVE", **os.environ}
        if source is not None:
            environment.pop("PYTHONPATH", None)
        elif "PYTHONPATH" in environment:
            # The package in use may have been found through a path relative to this folder.
            paths = environment["PYTHONPATH"].split(os.pathsep)
            environment["PYTHONPATH"] = os.pathsep.join(os.path.abspath(path) for path in paths)
        self._title = title
        self._log = log
        self._process = subprocess.Popen(
            command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=log,
            text=True,
            env=environment,
        )
        self.ready: tuple[str, str] | None = None
        self.taken = 0  # turns of the figure that is ready
        self.figures: list[dict[str, Any]] = []
        try:
            self._next()
        except BaseException:
            self.close()
            raise

    def _read(self) -> Mapping[str, Any]:
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        if not line:
            self._process.wait()
            with open(self._log.name, encoding="utf-8", errors="replace") as log:
                said = log.read().strip().splitlines()[-1:] or ["it said nothing"]
            code = self._process.returncode
            raise SideError(self, f"{self._title}: {said[0]} (exit code {code})")
        message: Mapping[str, Any] = json.loads(line)
        return message

    def _next(self) -> None:
        message = self._read()
        self.ready, self.taken = None, 0
        if "ready" in message:
            self.ready = (message["ready"], message["unit"])
        else:
            self.figures = list(message["figures"])

    def _say(self, word: str) -> None:
        assert self._process.stdin is not None
        try:
            self._process.stdin.write(word + "\n")
            self._process.stdin.flush()
        except BrokenPipeError:
            self._read()  # tells why

    def turn(self) -> float:
        """One turn of the figure that is ready; its rate."""
        self._say("turn")
        self.taken += 1
        return float(self._read()["rate"])

    def end(self) -> None:
        """No more turns of this figure: go on to the next."""
        self._say("end")
        self._next()

    def close(self) -> None:
        """End the process."""
        if self._process.poll() is None:
            self._process.kill()
        for pipe in (self._process.stdin, self._process.stdout):
            if pipe is not None:
                pipe.close()
        self._process.wait()


@dataclass
class Outcome:
    """What alternating turns found.

    Attributes:
        figures: of the revision in use.
        comparisons: figures that both have.
        notes: sentences about the others.
    """

    figures: list[Figure] = field(default_factory=list)
    comparisons: list[Comparison] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)


def alternate(
    ours: Path,
    theirs: Path,
    *,
    source: Path,
    own_core: Path | None = None,
    turns: int,
    quick: bool,
    log: Path,
    note: Callable[[str], None],
) -> Outcome:
    """Measure one benchmark of two revisions.

    Figures are matched by name and unit. One that only one side announces next is measured there
    alone; if it turns up on the other side in another order, the two are compared like two reports.

    Args:
        ours: file of the benchmark in use.
        theirs: that of the other revision.
        source: folder of the other revision's package.
        own_core: compiled core for the revision in use; None for the one that it has.
        turns: of each figure.
        quick: as of the benchmark.
        log: gets what the sides print; a second one, named ``.before``, that of the other side.
        note: told what is measured.

    Raises:
        SideError: our side broke off.
    """
    outcome = Outcome()
    log.parent.mkdir(parents=True, exist_ok=True)
    before_log = log.with_suffix(".before" + log.suffix)
    with log.open("w") as first, before_log.open("w") as second:
        title = f"benchmark {ours.stem}"
        mine = Side(ours, source=None, core=own_core, quick=quick, log=first, title=title)
        other: Side | None = None
        try:
            title += " of the other revision"
            try:
                other = Side(theirs, source=source, core=None, quick=quick, log=second, title=title)
            except SideError as error:
                outcome.notes.append(f"{error}; it is left out of the comparison")
            broken = _drive(mine, other, turns, outcome, note)
            if broken is not None:
                outcome.notes.append(f"{broken}; what comes after is left out of the comparison")
        finally:
            mine.close()
            if other is not None:
                other.close()
    outcome.figures = [_figure(entry) for entry in mine.figures]
    _match_rest(outcome, [] if other is None else other.figures, compared=other is not None)
    return outcome


def _drive(
    mine: Side, other: Side | None, turns: int, outcome: Outcome, note: Callable[[str], None]
) -> SideError | None:
    """Take all turns; returns why the other side broke off, if it did."""
    broken: SideError | None = None
    while mine.ready is not None or (other is not None and other.ready is not None):
        try:
            if other is None or (mine.ready is not None and mine.ready != other.ready):
                _alone(mine, turns)
            elif mine.ready is None:
                _alone(other, turns)
            else:
                note(f"  {mine.ready[0]}")
                outcome.comparisons.append(_together(mine, other, turns))
        except SideError as error:
            if error.side is mine:
                raise
            broken, other = error, None
    return broken


def _together(mine: Side, other: Side, turns: int) -> Comparison:
    """The figure that both sides are ready for; ours goes on to the next one in any case."""
    assert mine.ready is not None
    name, unit = mine.ready
    now: list[float] = []
    before: list[float] = []
    for number in range(turns):
        # Who goes first takes turns too.
        for side, rates in ((mine, now), (other, before))[:: -1 if number % 2 else 1]:
            rates.append(side.turn())
    other.end()
    mine.end()
    return compare_together(name, unit, now, before)


def _alone(side: Side, turns: int) -> None:
    """A figure that only this side is ready for; turns that it had already count."""
    for _ in range(max(0, turns - side.taken)):
        side.turn()
    side.end()


def _match_rest(outcome: Outcome, theirs: list[dict[str, Any]], *, compared: bool) -> None:
    """Compare what was not measured together but is on both sides; tell what is on one only."""
    done = {comparison.name for comparison in outcome.comparisons}
    before = {entry["name"]: _figure(entry) for entry in theirs}
    for figure in outcome.figures:
        old = before.pop(figure.name, None)
        if figure.name in done:
            continue
        if old is not None and old.unit == figure.unit:
            outcome.comparisons.append(compare_apart(rates_of(figure), rates_of(old)))
        elif compared:
            outcome.notes.append(f"{figure.name}: the other revision does not measure it")
    outcome.notes += [f"{name}: only the other revision measures it" for name in before]


def _figure(entry: Mapping[str, Any]) -> Figure:
    goal = entry.get("goal")
    return Figure(
        name=entry["name"],
        unit=entry["unit"],
        rates=list(entry["rates"]),
        calibration=list(entry["calibration"]),
        against=entry.get("against"),
        ratio=entry.get("ratio"),
        extra=dict(entry.get("extra") or {}),
        goal=Goal(**goal) if isinstance(goal, Mapping) else None,
    )
