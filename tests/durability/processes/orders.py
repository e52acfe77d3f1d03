"""P13: commands to real trainings that are killed in between: each is obeyed, and once."""

from __future__ import annotations

import random
import shutil
import signal
import time
from collections import Counter
from pathlib import Path

from tests.durability.experiment import Budget, Outcome
from tests.durability.processes.trainings import (
    Command,
    at_work,
    gone,
    kill,
    newest,
    othello,
    wait_for,
)

from ludus.runs import Run, layout, list_checkpoints, read_header, read_ndjson, send_command

_ENDS = {
    ("pause", None): 3,
    ("pause", "iteration"): 3,
    ("stop", None): 0,
}
"""Orders after which a training ends, with its exit code."""
_KEY = "run.commit_seconds"
_KILLS_A_START = 4
"""The supervisor gives up after five restarts within an hour."""
_PATIENCE = 60.0


class Commander:
    """Starts one training again and again, and gives it orders."""

    def __init__(self, words: list[str], path: Path, rng: random.Random) -> None:
        """Prepare.

        Args:
            words: arguments of ``ludus`` that train the run.
            path: of the run.
            rng: decides everything.
        """
        self.words, self.path, self.rng = words, path, rng
        self.sent: list[tuple[str, str]] = []
        self.value: float | None = None
        self.kills = 0
        self.by_name: Counter[str] = Counter()
        self.wrong: list[str] = []

    def start(self, orders: int) -> None:
        """One start: some orders, some kills, and an order that ends it."""
        command = Command(self.words, self.path.with_suffix(".said"), report=False)
        kills = 0
        try:
            if not self._works(command, None):
                return
            for number in range(orders + 1):
                last = number == orders
                trainer = command.trainer()
                end = self.rng.choice(list(_ENDS)) if last else None
                if end is None:
                    self._order(self.rng.choice(("save", "set", "set", "resume", "by hand")))
                else:
                    name, at = end
                    self._send(name, **({} if at is None else {"at": at}))
                time.sleep(self.rng.random() * 0.3)
                if kills < _KILLS_A_START and self.rng.random() < 0.4 and trainer is not None:
                    kills += kill(trainer, signal.SIGKILL)
                    wait_for(lambda pid=trainer: gone(pid))
                    if end is None and not self._works(command, trainer):
                        return
                if end is not None:
                    self._await_end(command, end, _ENDS[end])
        finally:
            self.kills += kills
            command.end()

    def _works(self, command: Command, before: int | None) -> bool:
        def works() -> bool:
            trainer = command.trainer()
            return command.over or (trainer != before and at_work(self.path, trainer))

        if not wait_for(works, seconds=_PATIENCE, pause=0.02) or command.over:
            self.wrong.append(f"nobody trains: {command.text()}")
        return not self.wrong

    def _await_end(self, command: Command, end: tuple[str, str | None], code: int) -> None:
        if not wait_for(lambda: command.over, seconds=_PATIENCE, pause=0.02):
            self.wrong.append(f"{end} did not end it within {_PATIENCE:g} s")
        elif command.process.returncode != code:
            self.wrong.append(
                f"{end} ended it with {command.process.returncode}, not {code}: {command.text()}"
            )

    def _order(self, name: str) -> None:
        if name == "by hand":
            self.value = self._new_value()
            lines = f"SAVE\nSET {_KEY}={self.value}\n"
            if not (signals := self.path / layout.SIGNAL).exists():  # else it is not read yet
                signals.write_text(lines)
                self.by_name["by hand"] += 1
                wait_for(lambda: not signals.exists(), seconds=_PATIENCE, pause=0.005)
        elif name == "set":
            self.value = self._new_value()
            self._send(name, key=_KEY, value=self.value)
        else:
            self._send(name)

    def _send(self, name: str, **args: object) -> None:
        self.sent.append((send_command(self.path, name, **args).name, name))
        self.by_name[name] += 1

    def _new_value(self) -> float:
        return self.rng.randrange(50, 200) / 100

    def judge(self) -> None:
        """Hold what was done against what was sent."""
        events = read_ndjson(self.path / "logs" / "events.ndjson")[0]
        obeyed = [one["source"] for one in events if one["event"] == "command"]
        times = Counter(obeyed)
        for source, name in self.sent:
            if times[source] != 1:
                self.wrong.append(f"{name} {source} was obeyed {times[source]} times")
        by_hand = [one for one in obeyed if one not in dict(self.sent)]
        if len(by_hand) != 2 * self.by_name["by hand"] or len(set(by_hand)) != len(by_hand):
            self.wrong.append(f"{self.by_name['by hand']} files by hand made {len(by_hand)} orders")
        if obeyed != sorted(obeyed):
            self.wrong.append("they were obeyed in another order than sent")
        self._judge_saves({one["source"] for one in events if one.get("command") == "save"})
        changed = Run.open(self.path, write=False).manifest.progress["changed"]
        if changed.get(_KEY) != self.value:
            self.wrong.append(f"{_KEY} is {changed.get(_KEY)}, last set to {self.value}")
        left = [entry.name for entry in (self.path / layout.CONTROL).iterdir()]
        if left:
            self.wrong.append(f"files of commands stay: {left[:3]}")

    def _judge_saves(self, asked: set[str]) -> None:
        saved: Counter[str] = Counter()
        for entry in list_checkpoints(self.path):
            if entry.where == "permanent":
                meta = read_header(self.path / entry.path).meta.get("meta") or {}
                if meta.get("command"):
                    saved[meta["command"]] += 1
        if saved != Counter(asked):
            self.wrong.append(f"{len(asked)} saves were asked for, and made {dict(saved)}")


def orders(budget: Budget) -> Outcome:
    """Trainings of Othello that are told to save, change, pause, stop, and killed meanwhile."""
    outcome = Outcome("orders")
    recipe = othello(budget.folder, games=10**9)
    count, number = budget.count(150, 12), 0
    by_name: Counter[str] = Counter()
    while outcome.trials < count and not outcome.failed:
        rng = budget.random("orders", number)
        path = budget.folder / f"training{number}"
        commander = Commander(recipe.words(path), path, rng)
        for _ in range(6):
            commander.start(rng.randrange(3, 9))
            commander.words = recipe.words(path)
            if commander.wrong or outcome.trials + commander.by_name.total() >= count:
                break
        if not commander.wrong and newest(path):
            commander.judge()
        for sentence in commander.wrong[:3]:
            outcome.fail("lost", f"training {number} with {commander.kills} kills: {sentence}")
        outcome.trials += commander.by_name.total()
        outcome.figures["kills"] = commander.kills + int(outcome.figures.get("kills", 0))
        by_name += commander.by_name
        shutil.rmtree(path, ignore_errors=True)
        number += 1
    outcome.figures.update({name: by_name[name] for name in sorted(by_name)})
    return outcome
