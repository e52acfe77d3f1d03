"""The books of a run that was killed: games, steps and records exactly once, nothing lost."""

from __future__ import annotations

import math
import re
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from tests.durability.places import ROOT

from ludus.runs import Run, read_ndjson

sys.path.append(str(ROOT / "tools"))

from storm_watch import Watcher, verify

__all__ = ["Watcher", "differences", "records", "verify", "wrong_books"]

_TIMED = re.compile(
    r"second|minute|_ms|_us|^eta|^elapsed|^ts_|busy|throughput|memory|bytes|speed|lanes|_session$"
    r"|^restarts$|^run_id$|^git_hash$|^config_hash$|^time|forecast|latency|histogram|per_s"
    r"|^policy_entropy$|^policy_max$|^confident_share$|sampled|batch_|^batches$|collision|expansions|^depth$"
    r"|evaluations|simulations|terminals|^forced$|fallback"
)
"""Fields of records that may differ between equal trainings: of time, and of search work, of which
some is done again and roots are sampled by the clock."""

_TURNS = ("resume", "run_created", "checkpoint_summary")
"""Records of the turns of processes, and of checkpoints that were asked for; not of the work."""


def _timeless(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {k: _timeless(one) for k, one in value.items() if not _TIMED.search(k)}
    if isinstance(value, list):
        return [_timeless(one) for one in value]
    return value


def records(run: Path, log: str = "metrics") -> list[dict[str, Any]]:
    """Records of a log without what time and machine decide."""
    found, bad = read_ndjson(run / "logs" / f"{log}.ndjson")
    if bad:
        raise ValueError(f"{bad} lines of {log}.ndjson are no records")
    return [_timeless(one) for one in found if one["event"] not in _TURNS]


def _same(one: Any, two: Any) -> bool:
    """Equal, but for the last bits of means: they are summed up unit by unit, as time cuts them."""
    if isinstance(one, float) and isinstance(two, float):
        return math.isclose(one, two, rel_tol=1e-9, abs_tol=1e-9)
    if isinstance(one, dict) and isinstance(two, dict):
        return one.keys() == two.keys() and all(_same(one[key], two[key]) for key in one)
    if isinstance(one, list) and isinstance(two, list):
        return len(one) == len(two) and all(map(_same, one, two))
    return bool(one == two)


def differences(run: Path, other: Path, log: str = "metrics") -> str | None:
    """The first record that two equal trainings do not share; None if they are the same."""
    here, there = records(run, log), records(other, log)
    for number, (one, two) in enumerate(zip(here, there, strict=False)):
        if not _same(one, two):
            fields = sorted(k for k in {*one, *two} if not _same(one.get(k), two.get(k)))
            return (
                f"record {number} of {log} ({one['event']}, step {one.get('step')}) differs in "
                f"{', '.join(fields)}: {one.get(fields[0])!r} and {two.get(fields[0])!r}"
            )
    if len(here) != len(there):
        return f"{log} has {len(here)} records, the undisturbed run {len(there)}"
    return None


def wrong_books(run: Path, games: int | None = None) -> list[str]:
    """What does not add up: games over blocks and counters, steps of every stream.

    Args:
        run: its directory.
        games: that it must have counted, where its limit is a number of games.
    """
    wrong: list[str] = []
    opened = Run.open(run, write=False)
    counters = opened.manifest.counters
    if games not in (None, counters["selfplay_games"]):
        wrong.append(f"{counters['selfplay_games']} games were counted of {games}")
    learner = opened.get_object(opened.manifest.objects["learner"])[0]
    if "games" in learner and int(learner["games"][0]) != counters["selfplay_games"]:
        learned = int(learner["games"][0])
        wrong.append(f"{counters['selfplay_games']} games were counted, {learned} learned from")
    found = read_ndjson(run / "logs" / "metrics.ndjson")[0]
    for kind in ("game_stats", "game_details"):
        end = 0
        for one in found:
            if one["event"] != kind:
                continue
            if one["first_game"] != end:
                what = "twice" if one["first_game"] < end else "never"
                wrong.append(f"{kind}: games from {min(end, one['first_game'])} are told {what}")
            end = one["first_game"] + one["games"]
        counted = counters["selfplay_games"]
        if not end <= counted < end + int(opened.config["metrics"][f"{kind}_every"]):
            wrong.append(f"{kind} tells of {end} games, {counted} were counted")
    for kind, clock in (
        ("selfplay_iter", "iteration"),
        ("train_iter", "iteration"),
        ("train_plan", "iteration"),
        ("train_step", "step"),
        ("table_stats", "step"),
        ("rating", "iteration"),
        ("health", "iteration"),
    ):
        steps = [one[clock] for one in found if one["event"] == kind]
        if len(set(steps)) != len(steps) or steps != sorted(steps):
            wrong.append(f"{kind}: {clock} comes twice or goes back: {_first_double(steps)}")
    transcripts = [
        one["step"]
        for one in read_ndjson(run / "logs" / "games.ndjson")[0]
        if one["event"] == "transcript"
    ]
    if len(set(transcripts)) != len(transcripts):
        wrong.append(f"game {_first_double(transcripts)} was kept twice")
    numbers = [entry["iteration"] for entry in opened.iterations]
    if numbers != list(range(len(numbers))):
        wrong.append(f"the history has the iterations {numbers}")
    played = sum(int((one.get("selfplay") or {}).get("games") or 0) for one in opened.iterations)
    done = [one for one in opened.iterations if "finished_ms" in one]
    if len(done) == len(numbers) and played != counters["selfplay_games"]:
        wrong.append(f"iterations have {played} games, {counters['selfplay_games']} were counted")
    return wrong


def _first_double(steps: list[int]) -> int | None:
    seen: set[int] = set()
    for step in steps:
        if step in seen:
            return step
        seen.add(step)
    return None
