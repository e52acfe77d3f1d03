"""S4: all parsers fuzzed in child processes; a crash is found and told with what repeats it."""

from __future__ import annotations

import json
import resource
import subprocess
from pathlib import Path

from tests.durability.experiment import Budget, Outcome
from tests.durability.inputs.fuzzer import NOW
from tests.durability.inputs.parsers import all_parsers
from tests.durability.places import ROOT, environment, module_command

_FULL = 10_000_000
_CHILD = 500_000
"""Inputs of a child, so that what it has allocated goes now and then."""


def _limit(seconds: int) -> None:
    resource.setrlimit(resource.RLIMIT_CPU, (seconds, seconds + 5))


def run(budget: Budget) -> Outcome:
    """Children one after the other, each with a seed of its own."""
    outcome = Outcome("inputs parsed")
    wanted, turn, accepted = budget.count(_FULL, 20_000), 0, 0
    while outcome.trials < wanted:
        turn += 1
        count = min(_CHILD, wanted - outcome.trials)
        folder = budget.folder / f"fuzzer{turn}"
        folder.mkdir()
        seed = budget.seed * 1_000_003 + turn
        seconds = 120 + count // 500
        child = subprocess.run(
            module_command("tests.durability.inputs.fuzzer", str(seed), str(count), str(folder)),
            env=environment(),
            cwd=ROOT,
            capture_output=True,
            text=True,
            check=False,
            preexec_fn=lambda limit=seconds: _limit(limit),
        )
        if child.returncode:
            outcome.trials += 1
            outcome.fail("other", f"seed {seed}: {_death(folder, child)}")
            if turn > 20:
                break
            continue
        found = json.loads(child.stdout)
        outcome.trials += sum(found["done"].values())
        accepted += sum(found["accepted"].values())
        outcome.figures["parsers"] = found["parsers"]
        for kind, sentence in found["wrong"]:
            outcome.fail("torn" if kind == "torn" else "other", f"seed {seed}: {sentence}")
    outcome.figures["inputs that were accepted"] = accepted
    return outcome


def _death(folder: Path, child: subprocess.CompletedProcess[str]) -> str:
    now = folder / "now"
    if not now.exists():
        return f"the fuzzer did not start: {child.stderr.strip()[-300:]}"
    place, block, number = NOW.unpack(now.read_bytes())
    name = all_parsers(folder)[place].name
    return f"{name}, block {block}, input {number}: the process ended with {child.returncode}"
