"""R3: each seeded bug is caught by the experiment that is made for it."""

from __future__ import annotations

import json
import subprocess
import tempfile
from pathlib import Path

from tests.durability.bugs import Bug, seed_bug
from tests.durability.experiment import Budget, Outcome
from tests.durability.places import ROOT, environment, module_command

LIMIT = 600.0
"""Seconds after which an experiment on a seeded bug is ended; it has caught nothing then."""


def hunt(bug: Bug, folder: Path, seed: int) -> tuple[bool, str]:
    """Run the experiment on the bug; whether it failed as it must, and what it said."""
    src = seed_bug(bug, folder)
    path = f"{src}:{ROOT}"
    asked = (bug.caught_by, "--budget", str(bug.minutes), "--seed", str(seed), "--json")
    try:
        done = subprocess.run(
            module_command("tests.durability", *asked),
            env={**environment(), "PYTHONPATH": path},
            cwd=ROOT,
            capture_output=True,
            text=True,
            timeout=LIMIT,
            check=False,
        )
    except subprocess.TimeoutExpired:
        return False, f"{bug.caught_by} did not end within {LIMIT:g} s"
    try:
        report = json.loads(done.stdout)
    except ValueError:
        return False, f"{bug.caught_by} broke: {done.stderr.strip()[-300:]}"
    row = report["experiments"][0]
    if row.get("skipped"):
        return False, f"{bug.caught_by} cannot run here: {row['skipped']}"
    said = [line for line in row["said"] if not line.startswith("broke: ")]
    return bool(said), said[0] if said else f"{bug.caught_by} noticed nothing in {row['trials']}"


def run(budget: Budget, bugs: tuple[Bug, ...]) -> Outcome:
    """Hunt for all of them."""
    outcome = Outcome("seeded bugs")
    for bug in bugs:
        with tempfile.TemporaryDirectory(dir=budget.folder) as folder:
            caught, said = hunt(bug, Path(folder), budget.seed)
        outcome.trials += 1
        if caught:
            outcome.figures[bug.name] = f"{bug.caught_by}: {said}"
        else:
            outcome.fail("other", f"{bug.name} was not caught: {said}")
    return outcome
