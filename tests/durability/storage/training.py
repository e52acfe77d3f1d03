"""R4, R9 on real trainings: a system call of ``ludus train`` fails, then it is run again."""

from __future__ import annotations

import random
import shutil
import subprocess
from pathlib import Path

from tests.durability.experiment import Budget, Outcome
from tests.durability.processes.ledger import Watcher, verify
from tests.durability.processes.trainings import Command, Recipe, digests, othello
from tests.durability.storage.order import retried_flush
from tests.durability.storage.tracing import parse

ERRORS = {
    "fsync": ("EIO", "ENOSPC", "EROFS"),
    "link": ("EIO", "ENOSPC", "EDQUOT", "EROFS"),
    "rename": ("EIO", "ENOSPC", "EROFS"),
    "ftruncate": ("EIO",),
    "unlink": ("EIO", "EROFS"),
}
_FURTHEST = {"fsync": 60, "link": 25, "rename": 25, "ftruncate": 3, "unlink": 30}
_WAITS = ("ENOSPC", "EDQUOT")
_LIMIT = 120.0


def fault(rng: random.Random) -> str:
    """What fails, as strace takes it. A full disk, which is waited for, is full only once."""
    call = rng.choice(("fsync", "fsync", *ERRORS))
    error = rng.choice(ERRORS[call])
    for_ever = error not in _WAITS and rng.random() < 0.4
    number = rng.randint(1, _FURTHEST[call])
    return f"{call}:error={error}:when={number}{'+' if for_ever else ''}"


def one_training(recipe: Recipe, run: Path, what: str) -> tuple[list[str], bool]:
    """Train with the fault, then without; what was wrong, and whether the fault was met."""
    log, said = run.with_suffix(".trace"), run.with_suffix(".said")
    watcher = Watcher(run)
    before = ("strace", "-f", "-qq", "-y", "-s", "0", "-o", str(log), "-e",
              "trace=fsync,write,pwrite64,openat,link,rename,ftruncate,unlink",
              "-e", f"inject={what}")  # fmt: skip
    wrong = []
    command = Command(recipe.words(run, "runtime.lanes=1"), said, before=before, report=False)
    try:
        code = command.process.wait(timeout=_LIMIT)
    except subprocess.TimeoutExpired:
        wrong.append("it hung")
        code = -1
    finally:
        command.end()
    text = said.read_text(errors="replace")
    if "Traceback" in text:
        wrong.append(f"a traceback was shown: {text[-400:]}")
    if code not in (0, -1) and not text.strip():
        wrong.append(f"it ended with {code} without a word")
    calls = parse(log.read_text(errors="replace"))
    retried = retried_flush([call for call in calls if str(run) in "".join(call.paths)])
    if retried is not None:
        wrong.append(retried)
    again = Command(recipe.words(run), said, report=False)
    try:
        code = again.process.wait(timeout=_LIMIT)
        if code != 0:
            wrong.append(f"run again it ended with {code}: {again.text()}")
    except subprocess.TimeoutExpired:
        wrong.append("run again it hung")
    finally:
        again.end()
        watcher.close()
    if not wrong:
        wrong += verify(run, watcher)[0]
    return wrong, any(call.injected for call in calls)


def run(budget: Budget) -> Outcome:
    """So many trainings, each with a fault, that must all end as one without."""
    outcome = Outcome("trainings with failed calls")
    recipe = othello(budget.folder, games=9000, iteration=1500)
    wanted = recipe.undisturbed(budget.folder / "undisturbed")
    met = 0
    for trial in range(budget.count(12)):
        what = fault(budget.random("training", trial))
        path = budget.folder / f"training{trial}"
        wrong, injected = one_training(recipe, path, what)
        met += injected
        if not wrong and digests(path) != wanted:
            wrong.append("what it learned is not what an undisturbed one learns")
        outcome.trials += 1
        if wrong:
            outcome.fail("lost", f"training {trial}, {what}: {wrong[0]}")
        shutil.rmtree(path)
    outcome.figures["faults met"] = met
    return outcome
