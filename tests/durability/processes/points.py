"""R1 at named points: the trainer dies as it enters its n-th call that changes the disk."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from collections import Counter
from pathlib import Path

from tests.durability.experiment import Budget, Outcome
from tests.durability.places import environment
from tests.durability.processes.kills import Ending, judge
from tests.durability.processes.ledger import Watcher, verify
from tests.durability.processes.trainings import Command, othello

from ludus.training.request import TrainRequest

CALLS = ("link", "linkat", "rename", "renameat", "renameat2", "fsync", "unlink", "ftruncate")
_FURTHEST = 60
"""Calls of a trainer's beginning and its first three commits."""

_LAST = re.compile(r"(\w+)\((.*?)\s*(?:\)\s+=|<unfinished|$)")
_KINDS = ("manifests", "state", "models", "checkpoints", "logs", "status.json", "run.json")


def missing() -> str | None:
    """What this machine lacks."""
    if shutil.which("strace") is None:
        return "strace is not installed"
    done = subprocess.run(["strace", "-qq", "-o", "/dev/null", "true"], capture_output=True)
    return None if done.returncode == 0 else "strace may not trace processes here"


def die_at(request: TrainRequest, number: int, log: Path) -> str | None:
    """Start the trainer and let it die at that call; names the call, None if it came to its end."""
    calls = ",".join(CALLS)
    words = [  # not with --seccomp-bpf: strace 6.1 then passes the call without the signal
        *("strace", "-f", "-qq", "-y", "-o", str(log), "-e", f"trace={calls}"),
        *("-e", f"inject={calls}:signal=KILL:when={number}"),
        *(sys.executable, "-m", "ludus.training.trainer"),
    ]
    trainer = subprocess.Popen(
        words,
        env=environment(),
        stdin=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    assert trainer.stdin is not None
    trainer.stdin.write(request.as_json().encode() + b"\n")
    trainer.stdin.flush()
    code = trainer.wait(timeout=120)
    trainer.stdin.close()
    if code == 0:
        return None
    found = _LAST.findall("\n".join(log.read_text(errors="replace").splitlines()[-12:]))
    names = [(call, words) for call, words in found if call in CALLS]
    if not names:
        return f"code {code}"
    call, about = names[-1]
    kind = next((kind for kind in _KINDS if f"/{kind}" in about), "other")
    return f"{call} in {kind}"


def points(budget: Budget) -> Outcome:
    """Kill at random numbers of calls until a training of three iterations is done, again."""
    outcome = Outcome("kills")
    recipe = othello(budget.folder, games=9000, iteration=1500)
    undisturbed = budget.folder / "undisturbed"
    wanted = recipe.undisturbed(undisturbed)
    rng, count = budget.random("points"), budget.count(24, 3)
    met: Counter[str] = Counter()
    number = 0
    while outcome.trials < count and not outcome.failed and number < count:
        run = budget.folder / f"training{number}"
        watcher = Watcher(run)
        born = [*recipe.settings, "runtime.lanes=2"]
        for _ in range(20):
            exists = run.is_dir() and any((run / "manifests").glob("0*.json"))
            request = TrainRequest.make(
                recipe.name,
                run=run,
                games=recipe.limit[1],
                assignments=() if exists else born,
                environment={},
            )
            if request.nothing_to_do or outcome.trials >= count:
                break
            point = die_at(request, rng.randint(1, _FURTHEST), budget.folder / "calls")
            if point is None:
                break
            met[point] += 1
            outcome.trials += 1
        command = Command(recipe.words(run), run.with_suffix(".said"), report=False)
        code = command.process.wait(timeout=240)
        watcher.close()
        ending = Ending(f"training {number}, killed at calls", run)
        ending.wrong += [f"it ended with {code}: {command.text()}"] if code else []
        ending.wrong += [] if code else verify(run, watcher)[0]
        judge(ending, wanted, undisturbed, outcome)
        shutil.rmtree(run)
        number += 1
    outcome.figures["trainings"] = number
    outcome.figures.update({f"at {point}": times for point, times in sorted(met.items())})
    return outcome
