"""R12, R13: how soon a run works again after a start, and what its commits cost."""

from __future__ import annotations

import json
import shutil
import statistics
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
from tests.durability.experiment import Budget, Outcome
from tests.durability.processes.trainings import Command, Recipe, newest, othello, wait_for, yatzy
from tests.training.tiny import request

from ludus.runs import Run, read_ndjson
from ludus.training.birth import open_session

GOALS = {"small": 2.0, "million": 10.0}
"""Seconds to the first new game."""

COMMIT_SHARE = 0.01
"""Of the time, that commits may cost."""

_MARGIN = 2.0
"""A goal counts as missed beyond so many times it: other work may share the machine."""

_POSITIONS = 1_000_000
_FAR = 10**9


def to_first_game(recipe: Recipe, run: Path, said: Path) -> float | None:
    """Seconds from the command to the first new game; the training is killed then."""
    log = run / "logs" / "metrics.ndjson"
    since = time.time_ns() // 1_000_000
    committed = Run.open(run, write=False).manifest.logs["metrics"].offset
    began = time.monotonic()
    command = Command(recipe.words(run), said, report=False)
    try:

        def played() -> bool:
            if command.over:
                return True
            with log.open("rb") as file:
                file.seek(committed)
                lines = [line for line in file if line.endswith(b"\n")]
            # What a killed training wrote after its commit stands there until this one cuts it.
            return any(
                record["event"] == "game_stats" and record["ts_ms"] >= since
                for record in map(json.loads, lines)
            )

        if not wait_for(played, seconds=120.0, pause=0.01) or command.over:
            return None
        return time.monotonic() - began
    finally:
        command.end()


def fill(run: Path, positions: int) -> int:
    """Copy the games of a run's replay under new numbers until it has so many positions."""
    from ludus.replay import GameRecords
    from ludus.training.network_session import NetworkSession  # loads torch

    session = open_session(request(run, recipe="yatzy"), lambda text: None)
    assert isinstance(session, NetworkSession)
    with session.run:
        replay = session.replay
        window = replay.window()
        games = len(window)
        order = window.sorted()
        number = _FAR  # beyond what is played here: the games in flight stay the next ones
        samples = window.samples
        while samples < positions:
            ids = np.arange(number, number + games, dtype=np.int64)
            columns: dict[str, Any] = {**order.columns, "game_id": ids}
            replay.add(GameRecords(columns))
            session.flush_shards()
            number, samples = number + games, samples + window.samples
        session.commit(*session.kept())
    return samples


def loading_torch() -> float:
    """Seconds that a program needs which does nothing but load torch and make an optimizer."""
    program = "import torch; torch.optim.AdamW([torch.nn.Parameter(torch.zeros(1))])"
    began = time.monotonic()
    subprocess.run([sys.executable, "-c", program], check=True)
    return time.monotonic() - began


def restart(budget: Budget) -> Outcome:
    """Small runs of both learners, and one with a million positions, again and again.

    What loading torch alone takes is told beside; a network's run is failed only for what it
    takes beyond that.
    """
    outcome = Outcome("restarts")
    times = budget.count(9, 1)
    small = othello(budget.folder, games=10**9)
    small = Recipe(
        small.name, (*small.settings, "metrics.game_stats_every=100"), small.limit, False
    )
    network = yatzy(budget.folder)
    settings = (
        *network.settings,
        "replay.capacity_shards=100000",
        "replay.games_per_shard=1000",
        "metrics.game_stats_every=1",
        "selfplay.games_per_iteration=720",
    )
    network = Recipe("yatzy", settings, ("iterations", 100))
    positions = _POSITIONS if budget.minutes >= 10 else 20_000
    runs: list[tuple[str, str, Recipe]] = [
        ("small", "pattern tables", small),
        ("small", "network", network),
        ("million", f"network, {positions} positions", network),
    ]
    torch = statistics.median(loading_torch() for _ in range(min(times, 3)))
    outcome.figures["loading torch and making an optimizer alone, s"] = torch
    for goal, about, recipe in runs[: 3 if budget.minutes >= 1 else 1]:
        run = budget.folder / f"run-{goal}-{recipe.name}"
        if goal == "million":
            shutil.copytree(budget.folder / f"run-small-{recipe.name}", run)
            fill(run, positions)
        else:
            command = Command(recipe.words(run), run.with_suffix(".said"), report=False)
            wait_for(lambda run=run: newest(run) >= 3, seconds=120.0, pause=0.02)
            command.end()
        found = [to_first_game(recipe, run, run.with_suffix(".said")) for _ in range(times)]
        outcome.trials += len(found)
        seconds = [one for one in found if one is not None]
        if len(seconds) < len(found):
            outcome.fail("other", f"{about}: no new game within 120 s")
            continue
        middle = statistics.median(seconds)
        outcome.figures[f"{about}: median of {times}, s (goal {GOALS[goal]:g})"] = middle
        if min(seconds) - (torch if recipe is network else 0.0) > _MARGIN * GOALS[goal]:
            outcome.fail("other", f"{about}: {min(seconds):.1f} s at best to the first new game")
    return outcome


def _cost(run: Path, recipe: Recipe, before: tuple[str, ...]) -> tuple[float, float, int]:
    """Share of a training's time that its periodic commits took, seconds of one, how many."""
    command = Command(recipe.words(run), run.with_suffix(".said"), before=before, report=False)
    command.process.wait(timeout=300)
    command.end()
    events = read_ndjson(run / "logs" / "events.ndjson")[0]
    commits = [one for one in events if one["event"] == "commit"]
    costs = [float(one["last_seconds"]) for one in commits if "last_seconds" in one]
    worked = Run.open(run, write=False).manifest.elapsed_seconds
    return sum(costs) / max(1e-9, worked), statistics.median(costs or [0.0]), len(costs)


def commit_cost(budget: Budget) -> Outcome:
    """Tables of the usual size, 40 MB a commit, with full flushing and without, in turn."""
    outcome = Outcome("trainings")
    minutes = max(0.1, min(1.0, budget.minutes / 60))
    settings = ("selfplay.games_per_iteration=1000000", "run.commit_seconds=0.5")
    recipe = Recipe("othello", settings, ("minutes", minutes), torch=False)
    ways: list[tuple[str, tuple[str, ...]]] = [("with flushes", ())]
    if shutil.which("eatmydata"):
        ways.append(("without flushes (eatmydata)", ("eatmydata",)))
    else:
        outcome.skipped.append("eatmydata is not installed: no comparison without flushes")
    found: dict[str, list[tuple[float, float, int]]] = {name: [] for name, _ in ways}
    for number in range(budget.count(3)):
        for name, before in ways:
            run = budget.folder / f"run{number}-{len(before)}"
            found[name].append(_cost(run, recipe, before))
            shutil.rmtree(run)
            outcome.trials += 1
    for name, costs in found.items():
        share = statistics.median(cost[0] for cost in costs)
        outcome.figures[f"{name}: share of the time"] = share
        outcome.figures[f"{name}: seconds of a commit"] = statistics.median(c[1] for c in costs)
    first = ways[0][0]
    shares = [cost[0] for cost in found[first]]
    enough = minutes >= 1.0  # a shorter one has its first commits and its last, and little work
    if enough and min(shares) > _MARGIN * COMMIT_SHARE:
        outcome.fail("other", f"commits took {min(shares):.1%} of the time at best")
    return outcome
