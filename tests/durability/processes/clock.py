"""P5: clocks that jump while a training runs: it ends when it was told to, tells no nonsense."""

from __future__ import annotations

import os
import re
import shutil
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.durability.experiment import Budget, Outcome
from tests.durability.processes.ledger import wrong_books
from tests.durability.processes.trainings import Command, Recipe, newest, othello, wait_for

from ludus.runs import read_ndjson, read_status

SECONDS = 6.0
"""That a training is told to last."""

_LATE = 45.0
"""Seconds beyond, with start and last commit, after which it hangs."""

_YEAR = 365.25 * 86400
_LIBRARIES = (
    "/usr/lib/x86_64-linux-gnu/faketime/libfaketime.so.1",
    "/usr/lib/aarch64-linux-gnu/faketime/libfaketime.so.1",
    "/usr/lib64/faketime/libfaketime.so.1",
    "/usr/lib/faketime/libfaketime.so.1",
)
_DURATION = re.compile(r"seconds|elapsed|duration|^eta|per_s")
_MOMENTS = ("clock",)
"""Events whose seconds may be negative: how far a clock was set."""


@dataclass(frozen=True)
class Case:
    """What a clock does.

    Attributes:
        name: for sentences.
        offsets: seconds from the right time of day, one after another, a second apart.
        monotonic: milliseconds since the machine's start that are passed while it trains.
    """

    name: str
    offsets: tuple[float, ...] = ()
    monotonic: int | None = None


def cases() -> tuple[Case, ...]:
    """All of them, those that differ most first."""
    end_of_32_bits = 2**31 - 5 - time.time()
    return (
        Case("ten years ahead", (10 * _YEAR,)),
        Case("ten years back", (-10 * _YEAR,)),
        Case("over the end of 32 bits in 2038", (end_of_32_bits,)),
        Case("monotonic over 2^31 ms", monotonic=2**31),
        Case("monotonic over 2^32 ms", monotonic=2**32),
        Case("an hour back", (-3600.0,)),
        Case("a minute to and fro", (60.0, -60.0, 60.0, 0.0)),
        Case("a second back", (-1.0,)),
        Case("before 1970", (-time.time() - 1000.0,)),
        Case("a leap second, twice", (-1.0, -2.0)),
    )


def library() -> str | None:
    """libfaketime, if it is installed."""
    return next((path for path in _LIBRARIES if os.path.exists(path)), None)


def missing() -> str | None:
    """What this machine lacks."""
    return None if library() else "libfaketime is not installed (Debian: faketime)"


def _durations(value: Any, name: str = "") -> Iterator[tuple[str, float]]:
    if isinstance(value, Mapping):
        for key, one in value.items():
            yield from _durations(one, key)
    elif isinstance(value, list):
        for one in value:
            yield from _durations(one, name)
    elif isinstance(value, int | float) and _DURATION.search(name):
        yield name, float(value)


def wrong_times(run: Path, wall: float) -> list[str]:
    """Negative or impossible durations in logs and status."""
    wrong: list[str] = []
    documents: list[Mapping[str, Any]] = [dict(read_status(run) or {})]
    for log in ("metrics", "events"):
        documents += read_ndjson(run / "logs" / f"{log}.ndjson")[0]
    for document in documents:
        if document.get("event") in _MOMENTS:
            continue
        for name, value in _durations(document):
            if value < 0:
                wrong.append(f"{document.get('event', 'status')} has {name} {value:g}")
            elif name == "elapsed_seconds" and value > wall + 1.0:
                wrong.append(f"{name} is {value:g} after {wall:.1f} s")
    return wrong


def _start(case: Case, words: list[str], said: Path, now: Path) -> Command:
    more: dict[str, str] = {}
    before: list[str] = []
    if case.offsets:
        now.write_text("+0")
        more = {
            "LD_PRELOAD": str(library()),
            "FAKETIME_TIMESTAMP_FILE": str(now),
            "FAKETIME_NO_CACHE": "1",
            "FAKETIME_DONT_FAKE_MONOTONIC": "1",  # or Python's waits hang
            "NO_FAKE_STAT": "1",
        }
    if case.monotonic is not None:
        ahead = str(int(case.monotonic / 1000 - time.monotonic() - 4))  # 4 s after the start
        before = ["unshare", "--time", "--monotonic", ahead, "--boottime", ahead, "--fork"]
    return Command(words, said, before=before, report=False, **more)


def _set(now: Path, offset: float) -> None:
    """Move the clock in one step, so that nobody reads half a number."""
    half = now.with_suffix(".new")
    half.write_text(f"{offset:+.3f}")
    half.rename(now)


def one_case(case: Case, words: list[str], run: Path) -> str | None:
    """A training under that clock; what was wrong, or None."""
    now = run.with_suffix(".clock")
    command = _start(case, words, run.with_suffix(".said"), now)
    try:
        began = time.monotonic()
        status = run / "status.json"
        if not wait_for(lambda: status.exists() or command.over, seconds=60.0, pause=0.02):
            return "it did not begin"
        for offset in case.offsets:
            time.sleep(1.0)
            _set(now, offset)
        if not wait_for(lambda: command.over, seconds=SECONDS + _LATE, pause=0.05):
            return f"it still trains after {time.monotonic() - began:.0f} s of {SECONDS:g}"
        wall = time.monotonic() - began
    finally:
        command.end()
    if command.process.returncode or not newest(run):
        return f"it ended with {command.process.returncode}: {command.text()}"
    if wall < SECONDS - 0.1:
        return f"it ended after {wall:.1f} s of {SECONDS:g}"
    events = read_ndjson(run / "logs" / "events.ndjson")[0]
    restarted = [str(one["reason"]) for one in events if one["event"] == "restarted"]
    if restarted:
        return f"its trainer was restarted: {restarted[0]}"
    found = [one for one in events if one["event"] == "clock"]
    if case.offsets and max(map(abs, case.offsets)) > 10 and not found:
        return "no event tells of the jump"
    wrong = wrong_times(run, wall) + wrong_books(run)
    return wrong[0] if wrong else None


def can_move_monotonic() -> bool:
    """Whether time namespaces may be made here."""
    return (
        os.geteuid() == 0 and bool(shutil.which("unshare")) and os.path.exists("/proc/self/ns/time")
    )


def clock(budget: Budget) -> Outcome:
    """Case after case, each with a training of its own."""
    outcome = Outcome("clocks")
    born = othello(budget.folder)
    recipe = Recipe("othello", born.settings, ("minutes", SECONDS / 60), torch=False)
    known = cases()
    for number in range(budget.count(10, 2)):
        case = known[number % len(known)]
        if case.monotonic is not None and not can_move_monotonic():
            outcome.skipped.append(f"{case.name}: needs root and time namespaces")
            continue
        run = budget.folder / f"training{number}"
        words = recipe.words(run, "runtime.lanes=1", "guards.watchdog_seconds=20")
        wrong = one_case(case, words, run)
        outcome.trials += 1
        if wrong is not None:
            outcome.fail("other", f"{case.name}: {wrong}")
        shutil.rmtree(run, ignore_errors=True)
    return outcome
