"""P3: trainers that stand still are found and replaced; a stopped supervisor is not mistaken."""

from __future__ import annotations

import signal
import time
from pathlib import Path

from tests.durability.experiment import Budget, Outcome
from tests.durability.processes.kills import Ending, judge
from tests.durability.processes.ledger import Watcher, verify
from tests.durability.processes.trainings import (
    Command,
    Recipe,
    at_work,
    gone,
    kill,
    moment,
    othello,
    wait_for,
)

from ludus.runs import read_ndjson

WATCHDOG = 5.0
"""The shortest that the setting allows."""

_LATE = 20.0
"""Seconds beyond the watchdog's in which another trainer must have begun."""

_A_SUPERVISOR = 4
"""Hangs that one supervisor meets: at the sixth within the hour it gives the run up."""


def hang(command: Command, run: Path, wait: float, outcome: Outcome) -> float | None:
    """Stop the trainer after so many seconds of work; the seconds until another is there."""
    if not wait_for(
        lambda: at_work(run, command.trainer()) or command.over, seconds=90.0, pause=0.02
    ):
        outcome.fail("other", f"no trainer works: {command.text()}")
        return None
    time.sleep(wait)
    trainer = command.trainer()
    if trainer is None or command.over or not kill(trainer, signal.SIGSTOP):
        return None
    began, where = time.monotonic(), moment(run)
    outcome.trials += 1
    replaced = wait_for(lambda: gone(trainer) or command.over, seconds=WATCHDOG + _LATE, pause=0.02)
    took = time.monotonic() - began
    if not replaced or command.over:
        outcome.fail("other", f"a trainer stopped in {where} was not replaced within {took:.0f} s")
        return None
    if took < WATCHDOG - 1.5:  # heartbeats come twice a second
        outcome.fail("other", f"a trainer stopped in {where} was given up after {took:.1f} s")
    return took


def stop_supervisor(command: Command, run: Path, outcome: Outcome) -> None:
    """Ctrl-Z for longer than the watchdog: whoever was stopped itself knows nothing of a hang."""
    trainer = command.trainer()
    if trainer is None or command.over:
        return
    outcome.trials += 1
    for pid in (command.process.pid, trainer):
        kill(pid, signal.SIGSTOP)
    time.sleep(WATCHDOG + 1.5)
    kill(command.process.pid, signal.SIGCONT)  # it looks before its trainer can say a word
    time.sleep(0.3)
    kill(trainer, signal.SIGCONT)
    time.sleep(1.0)
    if gone(trainer) and not command.over:
        outcome.fail("other", "a trainer was killed because its supervisor had been stopped")


def _one_training(
    recipe: Recipe, run: Path, waits: list[float], stops: bool, outcome: Outcome
) -> list[float]:
    words = recipe.words(run, "runtime.lanes=2", f"guards.watchdog_seconds={WATCHDOG:g}")
    command = Command(words, run.with_suffix(".said"), report=False)
    took: list[float] = []
    try:
        for wait in waits:
            found = hang(command, run, wait, outcome)
            if found is None:
                return took
            took.append(found)
        if stops and wait_for(lambda: at_work(run, command.trainer()), pause=0.02):
            stop_supervisor(command, run, outcome)
        if not wait_for(lambda: command.over, seconds=120.0, pause=0.05):
            outcome.fail("other", f"it did not go on to its end: {command.text()}")
        elif command.process.returncode:
            outcome.fail("other", f"it ended with {command.process.returncode}: {command.text()}")
    finally:
        command.end()
    return took


def hangs(budget: Budget) -> Outcome:
    """Trainings whose trainers are stopped at random moments, to their end."""
    outcome = Outcome("hangs")
    recipe = othello(budget.folder, games=30_000)
    undisturbed = budget.folder / "undisturbed"
    wanted = recipe.undisturbed(undisturbed)
    rng, count = budget.random("hangs"), budget.count(20, 2)
    took: list[float] = []
    number = 0
    while outcome.trials < count and not outcome.failed and number < count:
        run = budget.folder / f"training{number}"
        watcher = Watcher(run)
        most = min(_A_SUPERVISOR, count - outcome.trials)
        waits = [rng.random() * 0.7 for _ in range(most)]
        took += _one_training(recipe, run, waits, number % 2 == 0, outcome)
        watcher.close()
        if not outcome.failed:
            ending = Ending(f"othello with hangs, training {number}", run)
            ending.wrong += verify(run, watcher)[0]
            judge(ending, wanted, undisturbed, outcome)
            _told(run, outcome)
        number += 1
    if took:
        outcome.figures["slowest replacement, s"] = max(took)
    outcome.figures["watchdog, s"] = WATCHDOG
    return outcome


def _told(run: Path, outcome: Outcome) -> None:
    """Each restart is an event with its cause."""
    events = read_ndjson(run / "logs" / "events.ndjson")[0]
    causes = {one.get("cause") for one in events if one["event"] == "restarted"}
    if causes - {"hang"}:
        outcome.fail("other", f"hangs were told as {sorted(map(str, causes))}")
