"""R1, R6: SIGKILL at any moment of real trainings; the end is that of an undisturbed one."""

from __future__ import annotations

import random
import shutil
import signal
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from tests.durability.experiment import Budget, Outcome
from tests.durability.processes.ledger import Watcher, differences, verify, wrong_books
from tests.durability.processes.trainings import (
    Command,
    Recipe,
    at_work,
    blob,
    digests,
    ended,
    gone,
    kill,
    moment,
    newest,
    othello,
    wait_for,
    yatzy,
)

from ludus.runs import Run, send_command

_PHASES = ("selfplay", "train", "gate", "evaluate")
_PATIENCE = 90.0
"""Seconds that a training has to be at work again."""


def aim(path: Path, rng: random.Random, over: Callable[[], bool], *, saved: bool) -> None:
    """Wait for the moment of a kill: anywhere, after a commit, in one, or early in a phase.

    Commits that nobody asks for are rare within a phase: their period grows with their cost.
    """
    kind = "saved" if saved else rng.choice(("any", "saved", "commit", "phase"))
    if kind == "any":
        time.sleep(rng.random() * 0.6)
    elif kind == "saved":
        log = path / "logs" / "metrics.ndjson"
        size = log.stat().st_size
        wait_for(lambda: over() or log.stat().st_size > size, seconds=3.0, pause=0.01)
        before = newest(path)
        send_command(path, "save")
        wait_for(lambda: over() or newest(path) > before, seconds=5.0, pause=0.01)
        time.sleep(rng.random() * 0.2)
    elif kind == "commit":
        folders = [path / name for name in ("state", "models", "replay", "manifests")]

        def writing() -> bool:
            return over() or any(list(folder.glob(".*.tmp")) for folder in folders)

        wait_for(writing, seconds=2.0, pause=0.001)
        time.sleep(rng.random() * 0.004)
    else:
        phase = rng.choice(_PHASES[1:])
        wait_for(lambda: over() or moment(path) == phase, seconds=2.0, pause=0.01)
        time.sleep(rng.random() * 0.1)


class Torment:
    """One training that is killed again and again until it is done."""

    def __init__(self, recipe: Recipe, path: Path, lanes: int, rng: random.Random) -> None:
        """Prepare; :meth:`run` starts it."""
        self.recipe, self.path, self.rng = recipe, path, rng
        self.words = recipe.words(path, f"runtime.lanes={lanes}")
        self.said = path.with_suffix(".said")
        self.moments: Counter[str] = Counter()
        self.restarted: list[float] = []
        self.wrong: list[str] = []
        self._looked, self._done = 0, False

    @property
    def kills(self) -> int:
        """How many there were."""
        return sum(self.moments.values())

    def done(self) -> bool:
        """Whether the run has reached its limit, and a commit says so."""
        number = newest(self.path)
        if number != self._looked:
            self._looked, self._done = number, ended(self.path, number)
        return self._done

    def run(self, most: int) -> None:
        """Kill at most so often, then let it end."""
        watcher = None
        while not self.done() and not self.wrong:
            command = Command(self.words, self.said)
            watcher = watcher or Watcher(self.path)
            try:
                self._one_start(command, most)
            finally:
                command.end()
        assert watcher is not None
        watcher.close()
        if not self.wrong:
            self.wrong += verify(self.path, watcher)[0]

    def _one_start(self, command: Command, most: int) -> None:
        """Kill its trainers, then the supervisor; at its end, what is left of the work follows."""
        trainers = self.rng.randrange(5) if self.kills < most else 0
        last = None
        for number in range(trainers + 1):
            last = self._next_trainer(command, last)
            if last is None or self.kills >= most:
                break
            aim(self.path, self.rng, lambda: command.over, saved=self.kills % 3 == 0)
            if self.done() or command.over:
                break
            whom = last if number < trainers else command.process.pid
            working = at_work(self.path, last)
            if kill(whom, signal.SIGKILL):
                wait_for(lambda pid=last: gone(pid))
                self.moments[moment(self.path) if working else "start"] += 1
            if whom == command.process.pid:
                return
        if not wait_for(lambda: self.done() or command.over, seconds=240.0, pause=0.02):
            self.wrong.append("it did not end within 240 s")
        elif not self.done():
            self.wrong.append(f"it ended with {command.process.returncode}: {command.text()}")

    def _next_trainer(self, command: Command, last: int | None) -> int | None:
        """Wait for another trainer: until it works, or a random moment of its beginning."""
        began = time.monotonic()

        def new() -> bool:
            return self.done() or command.over or command.trainer() not in (None, last)

        wait_for(new, seconds=_PATIENCE, pause=0.02)
        trainer = command.trainer()
        if self.done() or command.over or trainer is None:
            return None
        if self.rng.random() < 0.15 and newest(self.path):
            time.sleep(self.rng.random() * 0.8)
            return trainer

        def works() -> bool:
            return self.done() or command.over or at_work(self.path, trainer)

        if not wait_for(works, seconds=_PATIENCE, pause=0.02):
            self.wrong.append(f"nobody worked {_PATIENCE:g} s after a kill: {command.text()}")
            return None
        self.restarted.append(time.monotonic() - began)
        return trainer


@dataclass
class Ending:
    """The end of a training that was disturbed.

    Attributes:
        about: what was done to it, for sentences.
        path: its run directory.
        wrong: what is known to be wrong.
    """

    about: str
    path: Path
    wrong: list[str] = field(default_factory=list)


def judge(ending: Ending, wanted: dict[str, str], undisturbed: Path, outcome: Outcome) -> None:
    """Hold the end against the undisturbed training and its own books."""
    wrong = [("lost", sentence) for sentence in ending.wrong]
    if not wrong:
        path = ending.path
        found = digests(path)
        if found != wanted:
            names = sorted(n for n in {*found, *wanted} if found.get(n) != wanted.get(n))
            wrong.append(("lost", f"other bits than undisturbed in {', '.join(names)}"))
        told = differences(path, undisturbed)
        wrong += [("lost", told)] if told else []
        wrong += [("lost", sentence) for sentence in wrong_books(path)]
        with Run.open(path, write=True) as run:
            wrong += [("torn", text) for text in run.notices if "FALLBACK" in text]
            temporary = sorted(entry.name for entry in path.rglob("*.tmp"))
            if temporary:
                wrong.append(("other", f"temporary files stay: {temporary[:3]}"))
    if wrong:
        kind, sentence = wrong[0]
        more = f" (and {len(wrong) - 1} more)" if len(wrong) > 1 else ""
        outcome.fail(kind, f"{ending.about}: {sentence}{more}")  # type: ignore[arg-type]


def kills(budget: Budget, recipe: Recipe, count: int, a_training: int) -> Outcome:
    """Kill trainings of a recipe until there were so many kills.

    Args:
        budget: seed and folder.
        recipe: what is trained.
        count: kills in all.
        a_training: most kills of one training.
    """
    outcome = Outcome("kills")
    undisturbed = budget.folder / "undisturbed"
    wanted = recipe.undisturbed(undisturbed)
    moments: Counter[str] = Counter()
    restarted: list[float] = []
    number = 0
    while outcome.trials < count and outcome.failed == 0:
        rng = budget.random("kills", recipe.name, number)
        path = budget.folder / f"training{number}"
        torment = Torment(recipe, path, 1 + number % 2, rng)
        torment.run(min(a_training, count - outcome.trials))
        about = f"{recipe.name}, training {number} with {torment.kills} kills"
        judge(Ending(about, path, torment.wrong), wanted, undisturbed, outcome)
        outcome.trials += torment.kills
        moments += torment.moments
        restarted += torment.restarted
        shutil.rmtree(path, ignore_errors=True)
        number += 1
        if number > count:
            outcome.fail("other", f"{number} trainings ended before {count} kills were done")
    outcome.figures["trainings"] = number
    outcome.figures.update({f"in {name}": moments[name] for name in sorted(moments)})
    if restarted:
        outcome.figures["seconds to work again"] = sorted(restarted)[len(restarted) // 2]
    return outcome


def kill_othello(budget: Budget) -> Outcome:
    """Pattern tables: no torch to load."""
    return kills(budget, othello(budget.folder), budget.count(300, 3), 40)


def kill_yatzy(budget: Budget) -> Outcome:
    """A network with replay and gates."""
    return kills(budget, yatzy(budget.folder), budget.count(40, 2), 20)


def kill_blob(budget: Budget) -> Outcome:
    """Hidden cards and deals."""
    return kills(budget, blob(budget.folder), budget.count(40, 2), 20)
