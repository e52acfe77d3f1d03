"""R5: a flipped byte or a cut is noticed wherever it is, and costs one commit at most."""

from __future__ import annotations

import os
import random
import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from tests.durability.experiment import Budget, Outcome
from tests.durability.storage.common import contents, quick_folder, refused, unheard
from tests.runs.helpers import check, commit, new_run

from ludus.runs import KeepLast, Run, read_checkpoint, read_manifest, verify_checkpoint
from ludus.runs.models import read_model

SIZE = 64 * 1024
DEPTH = 4
"""Commits of the run whose newest one is damaged."""


@dataclass(frozen=True)
class Subject:
    """A file, and the readers that must refuse it as soon as a byte is wrong."""

    name: str
    path: Path
    readers: tuple[Callable[[], object], ...]


def _arrays(rng: np.random.Generator, nbytes: int) -> dict[str, np.ndarray]:
    half = nbytes // 8
    return {
        "weights": rng.standard_normal(half).astype(np.float32),
        "moves": rng.integers(0, 100, half * 2, dtype=np.int16),
    }


def subjects(run: Run, seed: int) -> list[Subject]:
    """One file of about 64 KiB of each kind, made as a run makes them."""
    rng = np.random.default_rng(seed)
    found = []
    learner = run.put_object("learner", _arrays(rng, SIZE), {"step": 7})
    shard = run.put_shard(1, _arrays(rng, SIZE), {"games": 3})
    champion = run.put_model("champion", 1, _arrays(rng, SIZE), {"unit": 1})
    index = run.put_index("replay", [shard], {"games": 3})
    for level, name in ((0, "checkpoint"), (3, "checkpoint compressed")):
        arrays = _arrays(rng, SIZE if level == 0 else 2 * SIZE)
        if level:
            arrays["weights"] = np.round(arrays["weights"], 1)
        entry = run.save_checkpoint(
            arrays, {"a": [1, 2.5]}, unit=1 + level, policy=KeepLast(9), parameters=9,
            compress=level,
        )[0]  # fmt: skip
        path = run.path / entry.path
        readers = (lambda p=path: read_checkpoint(p), lambda p=path: verify_checkpoint(p))
        found.append(Subject(name, path, readers))
    names = {f"candidate{n}": learner for n in range(40)}
    progress = {"text": "".join(rng.choice(list("abcdef"), 50_000)), "numbers": list(range(200))}
    run.commit(progress, {"learner": learner, "replay_index": index, **names})
    manifest = run.path / "manifests" / f"{run.manifest.sequence:06d}.json"
    found += [
        Subject("manifest", manifest, (lambda: read_manifest(manifest),)),
        Subject("state", run.path / learner.path, (lambda: run.get_object(learner),)),
        Subject("shard", run.path / shard.path, (lambda: run.store.verify(index),)),
        Subject("index", run.path / index.path, (lambda: run.get_index(index),)),
        Subject("model", run.path / champion.path, (lambda: read_model(run.path / champion.path),)),
    ]
    return found


def _flips(size: int, wanted: int, rng: random.Random) -> Iterator[tuple[int, int]]:
    """Places, and what their byte is changed with: -1 a random bit, else the byte it becomes.

    The first 256 bytes and the last 64 always, where the structure is; others as many as wanted.
    """
    edges = {*range(min(256, size)), *range(max(0, size - 64), size)}
    places = edges | set(rng.sample(range(size), min(size, wanted)))
    for place in sorted(places):
        for value in (-1, 0x00, 0xFF):
            yield place, value


def damage_one(subject: Subject, budget: Budget, outcome: Outcome) -> None:
    """Every flip and every cut of one file, or as many as the budget allows."""
    whole = subject.path.read_bytes()
    rng = budget.random("flips", subject.name)
    descriptor = os.open(subject.path, os.O_RDWR)
    try:
        for place, value in _flips(len(whole), budget.count(len(whole)), rng):
            byte = whole[place] ^ (1 << rng.randrange(8)) if value < 0 else value
            if byte == whole[place]:
                continue
            os.pwrite(descriptor, bytes((byte,)), place)
            _look(subject, f"byte {place} became {byte:#04x}", outcome)
            os.pwrite(descriptor, whole[place : place + 1], place)
        lengths = {0, 1, len(whole) - 1, *rng.sample(range(len(whole)), budget.count(len(whole)))}
        for length in sorted(lengths, reverse=True):
            os.ftruncate(descriptor, length)
            _look(subject, f"cut to {length} bytes", outcome)
        os.pwrite(descriptor, whole, 0)
        os.pwrite(descriptor, b"\0", len(whole))
        _look(subject, "one byte longer", outcome)
        os.ftruncate(descriptor, len(whole))
    finally:
        os.close(descriptor)
    for read in subject.readers:
        read()  # the file is as it was, else nothing above was shown


def _look(subject: Subject, what: str, outcome: Outcome) -> None:
    outcome.trials += 1
    for read in subject.readers:
        fine, said = refused(read)
        if not fine:
            kind = "torn" if said == "accepted" else "other"
            outcome.fail(kind, f"{subject.name} ({subject.path.name}), {what}: {said}")
            return


# -- a run whose newest commit is damaged --------------------------------------------------------


def _only_newest(run: Run) -> list[str]:
    """Files that the newest commit alone needs, and its manifest."""
    before = read_manifest(run.path / "manifests" / f"{run.manifest.sequence - 1:06d}.json")
    reached = run.store.reaches(run.manifest.objects.values())
    mine = reached - run.store.reaches(before.objects.values())
    return [*sorted(mine), f"manifests/{run.manifest.sequence:06d}.json"]


def _spoil(path: Path, how: str, rng: random.Random) -> None:
    data = bytearray(path.read_bytes())
    if how == "flip":
        data[rng.randrange(len(data))] ^= 1 << rng.randrange(8)
    elif how == "cut":
        del data[rng.randrange(len(data)) :]
    elif how == "zeros":
        start = rng.choice([place for place, byte in enumerate(data) if byte])
        end = rng.randrange(start, len(data)) + 1
        data[start:end] = bytes(end - start)
    path.write_bytes(data)


def fall_back(model: Path, path: Path, victims: list[str], rng: random.Random) -> str | None:
    """Damage the newest commit of a copy and open it; what was wrong, if anything."""
    shutil.copytree(model, path)
    victim, how = rng.choice(victims), rng.choice(("flip", "cut", "zeros"))
    _spoil(path / victim, how, rng)
    before = contents(path)
    what = f"{victim}, {how}"
    with Run.open(path, write=True) as run:
        if run.manifest.progress != {"number": DEPTH - 2}:
            return f"{what}: opened at {dict(run.manifest.progress)}, not at the commit before"
        check(run, DEPTH - 2)
        if not any("FALLBACK" in notice for notice in run.notices):
            return f"{what}: fell back without a word"
        left = contents(path)
        kept = set(left.values())
        derived = ("run.json", "run.lock", "logs/")
        gone = [n for n, data in before.items() if data not in kept and not n.startswith(derived)]
        if gone:
            return f"{what}: {gone[0]} is neither in its place nor in quarantine"
        logs = b"".join(data for n, data in left.items() if "logs/" in n or ".ndjson.tail-" in n)
        if any(
            line not in logs
            for name, data in before.items()
            if name.startswith("logs/")
            for line in data.split(b"\n")
        ):
            return f"{what}: a line of a log is gone"
        commit(run, DEPTH - 1)
    with Run.open(path, write=True) as run:
        check(run, DEPTH - 1)
        if run.notices:
            return f"{what}: after going on it still complains: {run.notices[0]}"
    return None


def run(budget: Budget) -> Outcome:
    """Flip and cut each kind of file; then damage newest commits."""
    outcome = Outcome("flips, cuts and damaged commits")
    with unheard(), quick_folder(budget) as folder:
        with new_run(folder / "files") as files:
            for subject in subjects(files, budget.seed):
                damage_one(subject, budget, outcome)
        outcome.figures["flips and cuts"] = outcome.trials
        with new_run(folder / "model") as made:
            for number in range(DEPTH):
                commit(made, number)
            victims = _only_newest(made)
        for trial in range(budget.count(1000, 8)):
            path = folder / f"run{trial}"
            try:
                wrong = fall_back(folder / "model", path, victims, budget.random("fall", trial))
            except Exception as error:  # noqa: BLE001 - counted, with what repeats it
                wrong = f"{type(error).__name__}: {error}"
            outcome.trials += 1
            if wrong is not None:
                outcome.fail("lost", f"damaged commit {trial}, seed {budget.seed}: {wrong}")
            shutil.rmtree(path, ignore_errors=True)
    return outcome
