"""R3: each seeded bug is caught by the experiment that is made for it."""

from __future__ import annotations

import json
import subprocess
import tempfile
from pathlib import Path
from typing import Any

from tests.durability.bugs import Bug, seed_bug
from tests.durability.experiment import Budget, Outcome
from tests.durability.places import ROOT, environment, module_command

Row = dict[str, Any]
LIMIT = 600.0
"""Seconds after which an experiment on a seeded bug is ended; it has caught nothing then."""


def look(name: str, minutes: float, seed: int, bug: Bug | None, folder: Path) -> Row | str:
    """Run an experiment on a copy of the package.

    Args:
        name: of the experiment.
        minutes: its budget.
        seed: of its random choices.
        bug: what is wrong with the copy; None for an unchanged one, the control.
        folder: empty, for the copy.

    Returns:
        Its row of the table; or why there is none, as a sentence.
    """
    path = f"{seed_bug(bug, folder)}:{ROOT}"
    asked = (name, "--budget", str(minutes), "--seed", str(seed), "--json")
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
        return f"{name} did not end within {LIMIT:g} s"
    try:
        row: Row = json.loads(done.stdout)["experiments"][0]
    except ValueError:
        return f"{name} broke: {done.stderr.strip()[-300:]}"
    return f"{name} cannot run here: {row['skipped']}" if row.get("skipped") else row


def wrong_with(found: Row | str) -> str | None:
    """Why a control is none: the experiment must have run, and found nothing."""
    if isinstance(found, str):
        return found
    return str(found["said"][0]) if sum(found["failures"].values()) else None


def caught(found: Row | str) -> tuple[bool, str]:
    """Whether the experiment failed as one does that finds something, and what it said."""
    if isinstance(found, str):
        return False, found
    said = [line for line in found["said"] if not line.startswith("broke: ")]
    return bool(said), said[0] if said else f"nothing was noticed in {found['trials']}"


def run(budget: Budget, bugs: tuple[Bug, ...]) -> Outcome:
    """Hunt for bugs, and hold each experiment against a copy without one.

    For all of them with the full budget; with a smaller one for a part that the seed draws.
    """
    outcome = Outcome("seeded bugs")
    count = min(len(bugs), budget.count(len(bugs), 5))
    drawn = set(budget.random("teeth").sample(range(len(bugs)), count))
    chosen = [bug for number, bug in enumerate(bugs) if number in drawn]

    def looked(name: str, minutes: float, bug: Bug | None) -> Row | str:
        with tempfile.TemporaryDirectory(dir=budget.folder) as folder:
            return look(name, minutes, budget.seed, bug, Path(folder))

    ways = sorted({(bug.caught_by, bug.minutes) for bug in chosen})
    controls = {way: wrong_with(looked(*way, None)) for way in ways}
    for bug in chosen:
        outcome.trials += 1
        way = (bug.caught_by, bug.minutes)
        if controls[way] is not None:
            outcome.fail("other", f"{bug.name}: without it {bug.caught_by} fails: {controls[way]}")
            continue
        found, said = caught(looked(*way, bug))
        if found:
            outcome.figures[bug.name] = f"{bug.caught_by}: {said}"
        else:
            outcome.fail("other", f"{bug.name} was not caught: {said}")
    outcome.figures["controls without a bug"] = len(ways)
    return outcome
