"""P1: many processes want one run at the same moment; one gets it, the others say who has it."""

from __future__ import annotations

import random
import select
import signal
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path

from tests.durability.experiment import Budget, Outcome
from tests.durability.places import environment
from tests.durability.processes.trainings import Command, kill, othello, wait_for
from tests.runs.helpers import new_run

from ludus.errors import RunLockedError
from ludus.runs import Run, lock_holder

RUNNERS = 8
_RACER = Path(__file__).with_name("racer.py")
"""As a script: as a module of this package it would load all experiments first."""

_SOON = 5.0
"""Seconds within which losers must have ended; they wait 0.3 s for the lock."""


@dataclass
class Runner:
    """A process that opens the run when told to."""

    process: subprocess.Popen[str]

    @classmethod
    def start(cls, run: Path) -> Runner:
        """Start one that waits for the word."""
        words = [sys.executable, str(_RACER), str(run)]
        return cls(
            subprocess.Popen(
                words,
                env=environment(),
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                text=True,
                bufsize=1,
            )
        )

    def say(self, word: str) -> None:
        """A word to it."""
        assert self.process.stdin is not None
        self.process.stdin.write(word + "\n")
        self.process.stdin.flush()

    def hear(self, seconds: float) -> str:
        """Its next line; empty if none comes."""
        assert self.process.stdout is not None
        if not select.select([self.process.stdout], (), (), seconds)[0]:
            return ""
        return self.process.stdout.readline().strip()

    def kill(self) -> None:
        """End it; a child of it may keep its pipes open."""
        self.process.kill()
        self.process.wait()
        for pipe in (self.process.stdin, self.process.stdout):
            assert pipe is not None
            pipe.close()


def one_race(
    run: Path, runners: list[Runner], rng: random.Random, outcome: Outcome, number: int
) -> Runner | None:
    """All want the run at once. Returns who has won."""
    for one in rng.sample(runners, len(runners)):
        one.say("go")
    began = time.monotonic()
    said = {one.process.pid: one.hear(30.0) for one in runners}
    slowest = time.monotonic() - began
    outcome.trials += 1
    winners = [one for one in runners if said[one.process.pid].startswith("won")]
    if len(winners) != 1:
        outcome.fail("other", f"race {number}: {len(winners)} of {len(runners)} starts won")
        return None
    winner = winners[0].process.pid
    wrong = [
        text
        for pid, text in said.items()
        if pid != winner and (not text.startswith("lost") or f"process {winner} on" not in text)
    ]
    holder = lock_holder(run)
    if wrong:
        outcome.fail("other", f"race {number}: {winner} has the run, but it was said: {wrong[0]!r}")
    elif slowest > _SOON:
        outcome.fail("other", f"race {number}: the last one ended after {slowest:.1f} s")
    elif holder is None or holder.pid != winner:
        outcome.fail("other", f"race {number}: {winner} has won, but the holder is {holder}")
    return winners[0]


def light(budget: Budget, outcome: Outcome, races: int) -> None:
    """Races of processes that open the run, make a commit in it and die or close it."""
    run = budget.folder / "light"
    new_run(run).close()
    rng = budget.random("starts")
    runners = [Runner.start(run) for _ in range(RUNNERS)]
    children: list[int] = []
    slowest, made = 0.0, 0
    try:
        for one in runners:
            one.hear(60.0)
        for number in range(races):
            winner = one_race(run, runners, rng, outcome, number)
            if winner is None:
                return
            winner.say("commit")
            if (said := winner.hear(30.0)) != f"made {made}":
                outcome.fail("lost", f"race {number}: commit {made} was due, it said {said!r}")
                return
            made += 1
            how = ("close", "kill", "fork", "spawn")[number % 4]
            if how == "close":
                winner.say("close")
                winner.hear(30.0)
                continue
            if how != "kill":
                winner.say(how)
                children.append(int(winner.hear(30.0).split()[-1]))
            began = time.monotonic()
            winner.kill()
            runners.remove(winner)
            try:
                Run.open(run, write=True).close()
            except RunLockedError as error:
                outcome.fail("other", f"race {number}: after {how} and SIGKILL {error}")
                return
            slowest = max(slowest, time.monotonic() - began)
            runners.append(Runner.start(run))
            runners[-1].hear(60.0)
    finally:
        for one in runners:
            one.kill()
        for pid in children:
            kill(pid, signal.SIGKILL)
    outcome.figures["slowest start after SIGKILL, s"] = slowest


def real(budget: Budget, outcome: Outcome, races: int) -> None:
    """The same with ``ludus train``, run at its limit: seven of eight end with exit code 2."""
    recipe = othello(budget.folder, games=10**9)
    run = budget.folder / "real"
    for number in range(races):
        if outcome.failed:
            return
        said = [budget.folder / f"said{number}-{n}" for n in range(RUNNERS)]
        _all_at_once(run, recipe.words(run, "runtime.lanes=1"), said, outcome)


def _all_at_once(run: Path, words: list[str], files: list[Path], outcome: Outcome) -> None:
    started = [Command(words, file) for file in files]
    try:
        wait_for(lambda: sum(one.over for one in started) >= len(started) - 1, seconds=120.0)
        outcome.trials += 1
        left = [one for one in started if not one.over]
        holder = lock_holder(run)
        if len(left) != 1 or holder is None or holder.pid != left[0].trainer():
            outcome.fail("other", f"of {len(started)} trainings {len(left)} work, holder {holder}")
            return
        codes = {one.process.returncode for one in started if one.over}
        said = [one.text() for one in started if one.over]
        wrong = [text for text in said if f"in use by process {holder.pid} on" not in text]
        if codes != {2} or wrong:
            outcome.fail("other", f"others ended with {codes}, one said {wrong[:1] or said[:1]}")
    finally:
        for one in started:
            one.end()


def starts(budget: Budget) -> Outcome:
    """Light races, and some of the real command."""
    outcome = Outcome("races")
    real_races = round(8 * budget.minutes / 60)
    light(budget, outcome, budget.count(200, 4) - real_races)
    if not outcome.failed:
        real(budget, outcome, real_races)
    return outcome
