"""P9: a run takes no more room than retention promises, and a storm of log lines stays small."""

from __future__ import annotations

import os
import random
from collections.abc import Iterator
from pathlib import Path

from tests.durability.experiment import Budget, Outcome
from tests.durability.storage.common import fork, quick_folder, unheard
from tests.runs.helpers import new_run, weights

from ludus import logs
from ludus.errors import LudusError
from ludus.logs import LOGS_KEPT
from ludus.runs import KEEP_MANIFESTS, KeepLast, Run, layout, list_checkpoints, read_manifest

CACHE = 3
"""Checkpoints that the policy keeps."""

_WINDOW = 4
_LOOK_EVERY = 7
_EVENT_BYTES = 1024
"""The most that a commit may add to the log of events."""

_STORM_BYTES = 64 * 1024
"""The most that a storm of lines may add to the log of a process."""


def save(run: Run, number: int, rng: random.Random) -> bool:
    """A commit with a candidate and a window of shards; whether it was marked good."""
    shards = []
    if "replay_index" in run.manifest.objects:
        shards = run.get_index(run.manifest.objects["replay_index"])[0]
    shards = [*shards[1 - _WINDOW :], run.put_shard(number, weights(number), {})]
    candidate = run.put_tensors(
        f"models/candidate-{number:06d}.safetensors", weights(number), {}, kind="candidate"
    )
    good = rng.random() < 0.3 if number % 40 < 20 else number % 40 < 25
    run.commit(
        {"number": number},
        {
            "learner": run.put_object("learner", weights(number), {"number": number}),
            "candidate": candidate,
            "replay_index": run.put_index("replay", shards, {}),
        },
        good=good,
    )
    return good


def promised(run: Run, good: list[int], permanent: dict[str, int]) -> set[int]:
    """Numbers of the manifests that must be kept, and no others may be."""
    newest = run.manifest.sequence
    kept = set(range(max(1, newest - KEEP_MANIFESTS + 1), newest + 1))
    kept.update(sequence for path, sequence in permanent.items() if (run.path / path).exists())
    return kept | set(good[-1:])


def look(run: Run, good: list[int], permanent: dict[str, int]) -> str | None:
    """What is there that nobody promised, or is not there though somebody did."""
    wanted, found = promised(run, good, permanent), set(layout.manifest_numbers(run.path))
    if wanted - found:
        return f"manifest {min(wanted - found)} is not kept"
    if found - wanted:
        return f"manifest {min(found - wanted)} is kept for nothing"
    reached: set[str] = set()
    for number in sorted(found):
        manifest = read_manifest(run.path / layout.MANIFESTS / f"{number:06d}.json")
        for ref in manifest.objects.values():
            run.store.verify(ref)
        reached |= run.store.reaches(manifest.objects.values())
    there = {
        f"{folder}/{name}"
        for folder in (layout.STATE, layout.REPLAY, layout.MODELS)
        for name in os.listdir(run.path / folder)
        if not (name.endswith(".json") and folder != layout.STATE)
    }
    # What only a manifest removed just now reached goes with the next commit: the oldest one, one
    # of a checkpoint that was deleted, one that was the last good one; a leak would grow beyond.
    if len(there - reached) > 3 * (3 + _WINDOW):
        return f"{len(there - reached)} files are there that no kept commit reaches"
    cache = [entry for entry in list_checkpoints(run.path) if entry.where == "cache"]
    if len(cache) > CACHE:
        return f"{len(cache)} checkpoints are kept where {CACHE} should be"
    if os.listdir(run.path / layout.QUARANTINE):
        return "something went to quarantine"
    events = (run.path / "logs/events.ndjson").stat().st_size
    if events > _EVENT_BYTES * run.manifest.sequence:
        return f"{events} bytes of events after {run.manifest.sequence} commits"
    return None


def many_commits(folder: Path, count: int, rng: random.Random) -> Iterator[str | None]:
    """Commit so often, with checkpoints, resumes and deleted checkpoints; look now and then."""
    good: list[int] = []
    permanent: dict[str, int] = {}
    run = new_run(folder)
    good.append(run.manifest.sequence)
    try:
        for number in range(count):
            kept_for_ever = number % 11 == 5
            if number % 5 == 0:
                entry, _ = run.save_checkpoint(
                    weights(number), {}, unit=number + 1, policy=KeepLast(CACHE), parameters=9,
                    permanent=kept_for_ever,
                )  # fmt: skip
                if kept_for_ever:
                    permanent[entry.path] = run.manifest.sequence + 1
            if save(run, number, rng):
                good.append(run.manifest.sequence)
            if rng.random() < 0.05 and permanent:  # people delete checkpoints
                path = rng.choice(sorted(permanent))
                del permanent[path]
                (run.path / path).unlink()
                continue  # its manifest goes with the next commit
            if rng.random() < 0.1:
                run.close()
                run = Run.open(folder, write=True)
            if number % _LOOK_EVERY == 0:
                yield look(run, good, permanent)
    finally:
        run.close()


def storm(folder: Path, lines: int, *, equal: bool) -> str | None:
    """So many lines to the log of a process: how large it becomes."""
    folder.mkdir()
    path = logs.new_log(folder)

    def many() -> None:
        logs.configure(file=path, console=False)
        logger = logs.get_logger("storm")
        for number in range(lines):
            logger.warning("the disk is slow" if equal else f"the disk is slow, {number}")
        logs.close()

    child = fork(many)
    if os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) != 0:
        return "the process that logs ended with an error"
    text = path.read_text()
    if len(text) > _STORM_BYTES:
        return f"{lines} lines made {len(text)} bytes"
    counted = sum(int(word) for word in text.replace(",", "").split() if word.isdigit())
    return None if counted >= lines // 2 else f"{lines} lines are told as {text[-200:]!r}"


def many_starts(folder: Path, starts: int) -> str | None:
    """How many logs of processes stay."""
    folder.mkdir()
    for number in range(starts):
        newest = logs.new_log(folder)
        newest.write_text(f"{number}\n")
    left = sorted(folder.iterdir())
    return None if newest in left and len(left) <= LOGS_KEPT else f"{len(left)} logs are kept"


def run(budget: Budget) -> Outcome:
    """Many commits, then storms of lines, then many starts."""
    outcome = Outcome("looks at a run's size")
    with quick_folder(budget) as folder:
        with unheard():
            looks = many_commits(folder / "run", budget.count(4000, 60), budget.random("commits"))
            try:
                for number, wrong in enumerate(looks):
                    outcome.trials += 1
                    if wrong is not None:
                        outcome.fail("lost", f"look {number}, seed {budget.seed}: {wrong}")
                        break
            except LudusError as error:
                outcome.trials += 1
                outcome.fail("lost", f"a kept commit is damaged: {type(error).__name__}: {error}")
        part = sum(file.stat().st_size for file in (folder / "run").rglob("*") if file.is_file())
        outcome.figures["kilobytes of the run at the end"] = round(part / 1000)
        outcome.figures["commits"] = budget.count(4000, 60)
        lines = budget.count(1_000_000, 5000)
        for name, wrong in (
            ("equal lines", storm(folder / "equal", lines, equal=True)),
            ("different lines", storm(folder / "different", lines, equal=False)),
            ("starts", many_starts(folder / "starts", 2 * LOGS_KEPT)),
        ):
            outcome.trials += 1
            if wrong is not None:
                outcome.fail("other", f"{name}: {wrong}")
    return outcome
