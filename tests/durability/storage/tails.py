"""R10: wherever a log is cut, and whatever lies behind, whole lines stay and new ones are whole."""

from __future__ import annotations

import bisect
import json
import random
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.durability.experiment import Budget, Outcome
from tests.durability.storage.common import quick_folder, unheard
from tests.runs.helpers import check, commit, new_run

from ludus.runs import Manifest, Run, read_ndjson
from ludus.runs.logs import RunLogs

SIZE = 64 * 1024
TAILS = ("nothing", "zeros", "garbage", "garbage lines", "half a character")


@dataclass(frozen=True)
class Log:
    """A log of 64 KiB, three quarters of it committed."""

    whole: bytes
    ends: list[int]
    records: list[dict[str, Any]]
    manifest: Manifest

    @property
    def committed(self) -> int:
        """Bytes that the commit vouches for."""
        return self.manifest.logs["metrics"].offset

    def lines(self, length: int) -> list[bytes]:
        """The lines that end within that many bytes."""
        kept = bisect.bisect_right(self.ends, length)
        return self.whole.splitlines(keepends=True)[:kept]


def make_log(folder: Path) -> Log:
    """Written by a run, as a training writes it."""
    with new_run(folder) as run:
        path = run.path / "logs/metrics.ndjson"
        number = 0
        while path.stat().st_size < SIZE:
            if run.manifest.sequence == 1 and path.stat().st_size > SIZE * 3 // 4:
                run.commit({"number": number}, {})
            run.metrics.append(
                "train_step", step=number, text="größe ✓ 🎲"[: number % 9], a=[1] * 9
            )
            number += 1
        whole = path.read_bytes()
    ends = [place + 1 for place, byte in enumerate(whole) if byte == 10]
    records = [json.loads(line) for line in whole.splitlines()]
    return Log(whole, ends, records, run.manifest)


def _tail(how: str, rng: random.Random) -> bytes:
    length = rng.choice((1, 7, 512, 4096, 20_000))
    if how == "zeros":
        return bytes(length)
    if how == "garbage":
        return rng.randbytes(length).replace(b"\n", b" ")
    if how == "garbage lines":
        return rng.randbytes(length) + b'\n{"event": \n[1]\n'
    return {"nothing": b"", "half a character": "ü".encode()[:1]}[how]


def read_it(path: Path, log: Log, length: int) -> str | None:
    """What is wrong with reading the log cut to `length`, if anything."""
    found, bad = read_ndjson(path)
    wanted = log.lines(length)
    if found != log.records[: len(wanted)]:
        return f"{len(found)} of {len(wanted)} whole lines were read"
    if bad:
        return f"{bad} lines were skipped where none is bad"
    return None


def heal_it(run: Path, log: Log, length: int, tail: bytes) -> str | None:
    """What is wrong after healing the log cut to `length` with a tail behind, and going on."""
    path, quarantine = run / "logs/metrics.ndjson", run / "quarantine"
    there = log.whole[:length] + tail
    path.write_bytes(there)
    logs = RunLogs(run, envelope={"run_id": log.manifest.run_id})
    try:
        notices = logs.heal(log.manifest, incarnation="0" * 12, event="resume")
        cut = there[: path.read_bytes().rfind(b'{"event":"resume"')]
        logs.get("metrics").append("train_step", loss=0.5)
    finally:
        logs.close()
    data = path.read_bytes()
    whole = log.lines(min(length, log.committed))
    lines = data.splitlines(keepends=True)
    if lines[: len(whole)] != whole:
        return f"not all of the {len(whole)} whole committed lines are left"
    records, _ = read_ndjson(path)
    if [record["event"] for record in records[len(whole) :]] != ["resume", "train_step"]:
        return "behind them are not the next two records, whole and alone"
    last = log.manifest.logs["metrics"].steps["train_step"]
    if records[-1]["step"] != last + 1:
        return f"the next step is {records[-1]['step']} after {last} was committed"
    if len(cut) < log.committed and not notices:
        return "committed records are missing and nobody said so"
    if length >= log.committed and notices:
        return f"nothing committed is missing, yet: {notices[0]}"
    moved = b"".join(file.read_bytes() for file in quarantine.glob("metrics.ndjson.tail-*"))
    for file in quarantine.iterdir():
        file.unlink()
    if cut + moved != there:
        return f"of {len(there)} bytes {len(cut)} stayed and {len(moved)} are in quarantine"
    return None


def resume_it(model: Path, path: Path, rng: random.Random) -> str | None:
    """What is wrong with the steps of a run whose logs were torn before it goes on."""
    shutil.copytree(model, path)
    tail = _tail(rng.choice(TAILS), rng)
    file = path / "logs" / rng.choice(("metrics.ndjson", "events.ndjson"))
    offset = Run.open(path, write=False).manifest.logs[file.stem].offset
    data = file.read_bytes()
    file.write_bytes(data[: rng.randrange(offset, len(data) + 1)] + tail)
    with Run.open(path, write=True) as run:
        check(run, 1)
        if run.notices:
            return f"nothing committed is missing, yet: {run.notices[0]}"
        commit(run, 2)
        check(run, 2)
    records, bad = read_ndjson(path / "logs/metrics.ndjson")
    steps = [record["step"] for record in records if record["event"] == "train_step"]
    if steps != [0, 1, 2] or bad:
        return f"the steps are {steps} and {bad} lines are bad"
    commits = [r["sequence"] for r in read_ndjson(path / "logs/events.ndjson")[0] if "bytes" in r]
    return None if commits == [2, 3, 4] else f"the events tell of the commits {commits}"


def run(budget: Budget) -> Outcome:
    """Every cut read; every cut healed, with a tail each; runs resumed after torn logs."""
    outcome = Outcome("torn logs")
    with unheard(), quick_folder(budget) as folder:
        log = make_log(folder / "run")
        path = folder / "torn.ndjson"
        size = len(log.whole)
        lengths = budget.random("cuts").sample(range(size + 1), budget.count(size, 40))
        path.write_bytes(log.whole)
        with path.open("r+b") as file:
            for length in sorted(lengths, reverse=True):
                file.truncate(length)
                _count(outcome, read_it(path, log, length), f"read after a cut to {length}")
        for number, length in enumerate(lengths):
            rng = budget.random("tail", length)
            how = TAILS[number % len(TAILS)]
            tail = _tail(how, rng)
            try:
                wrong = heal_it(folder / "run", log, length, tail)
            except Exception as error:  # noqa: BLE001 - counted, with what repeats it
                wrong = f"{type(error).__name__}: {error}"
            what = f"healed after a cut to {length} with {len(tail)} bytes of {how} behind"
            _count(outcome, wrong, what)
        with new_run(folder / "model") as made:
            commit(made, 0)
            commit(made, 1)
            for step in (1, 2, 3):
                made.metrics.append("train_step", step=step, loss=0.5)
                made.events.append("something", number=step)
        for trial in range(budget.count(2000, 5)):
            rng = budget.random("resume", trial)
            try:
                wrong = resume_it(folder / "model", folder / "torn", rng)
            except Exception as error:  # noqa: BLE001 - counted, with what repeats it
                wrong = f"{type(error).__name__}: {error}"
            _count(outcome, wrong, f"resume {trial}, seed {budget.seed}")
            shutil.rmtree(folder / "torn", ignore_errors=True)
    return outcome


def _count(outcome: Outcome, wrong: str | None, what: str) -> None:
    outcome.trials += 1
    if wrong is not None:
        outcome.fail("lost", f"{what}: {wrong}")
