"""R4, R9: each system call of a resume and two commits fails, once and for ever, each way."""

from __future__ import annotations

import random
import shutil
import traceback
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.durability.experiment import Budget, Outcome
from tests.durability.storage.common import quick_folder, unheard
from tests.durability.storage.order import (
    acknowledged_after_eio,
    must_be_told,
    retried_flush,
    wrong_order,
)
from tests.durability.storage.tracing import Call, Parent, Traced, traced
from tests.runs.helpers import check, commit, new_run, weights

from ludus.errors import LudusError
from ludus.runs import KeepLast, Run, verify_checkpoint

BASE = 9
"""Commit that the run stands at: so many that the next ones have garbage to collect."""

_DISK = ("EIO", "ENOSPC", "EDQUOT", "EROFS")
ERRORS = {
    "openat": (*_DISK, "EMFILE", "EINTR"),
    "write": ("EIO", "ENOSPC", "EDQUOT", "EINTR"),
    "pwrite64": ("EIO", "ENOSPC", "EDQUOT", "EINTR"),
    "fsync": ("EIO", "ENOSPC", "EDQUOT", "EROFS", "EINTR"),
    "close": ("EIO", "ENOSPC", "EDQUOT", "EINTR"),
    "link": _DISK,
    "unlink": _DISK,
    "rename": _DISK,
    "ftruncate": ("EIO", "EROFS", "EINTR"),
    "mkdir": _DISK,
}


@dataclass(frozen=True)
class Fault:
    """A call that fails, and how."""

    call: Call
    error: str
    for_ever: bool

    def __str__(self) -> str:
        """As strace takes it after ``inject=``."""
        until = "+" if self.for_ever else ""
        return f"{self.call.name}:error={self.error}:when={self.call.number}{until}"


def again(run: Run, number: int) -> None:
    """Commit `number`, from a state that a failed attempt may have left half done."""
    del run.iterations[number:]
    run.counters = type(run.counters).from_dict({"games": 10 * number})
    commit(run, number)


def go_on(path: Path, parent: Parent) -> None:
    """Resume, and save twice and a checkpoint, as a training does; tell what came of it."""
    said: dict[str, Any] = {}
    try:
        with Run.open(path, write=True) as run:
            said["notices"] = run.notices
            first = int(run.manifest.progress["number"]) + 1
            for number in (first, first + 1):
                try:
                    run.save(lambda n=number: again(run, n), required=True, wait=lambda _: None)
                finally:
                    said["failures"] = run.save_failures
                parent.acknowledge(number)
            entry = run.save(
                lambda: run.save_checkpoint(
                    weights(first), {}, unit=first, policy=KeepLast(2), parameters=9
                )[0],
                required=True,
                wait=lambda _: None,
            )
            said |= {"checkpoint": entry.path, "failures": run.save_failures}
        said["outcome"] = "done"
    except LudusError as error:
        said |= {"outcome": "refused", "sentence": str(error)}
    except Exception:  # noqa: BLE001 - what users would see as a traceback
        said |= {"outcome": "stray", "sentence": " ".join(traceback.format_exc().split())[-400:]}
    parent.tell(said)


def faults(calls: list[Call], run: str) -> Iterator[Fault]:
    """All that can be made to fail in a trace: calls on the run's files, each error, both ways."""
    for call in calls:
        if not any(path.startswith(run) for path in call.paths):
            continue
        reads = call.name == "openat" and "O_RDONLY" in call.words
        for error in ERRORS.get(call.name, ()):
            if reads and error not in ("EIO", "EMFILE", "EINTR"):
                continue  # opening to read asks for no room
            yield Fault(call, error, False)
            if error != "EINTR":  # a signal comes once
                yield Fault(call, error, True)


def chosen(every: list[Fault], count: int, rng: random.Random) -> list[Fault]:
    """So many of the faults: of each kind one before a second one of any."""
    seen: Counter[tuple[str, str, str]] = Counter()
    ranked = []
    for fault in rng.sample(every, len(every)):
        path = fault.call.paths[-1]
        place = "new file" if path.endswith(".tmp") else "log" if "/logs" in path else "other"
        kind = (fault.call.name, fault.error, place)
        ranked.append((seen[kind], len(ranked), fault))
        seen[kind] += 1
    return [fault for _, _, fault in sorted(ranked, key=lambda entry: entry[:2])[:count]]


def judge(path: Path, fault: Fault, found: Traced) -> tuple[str, str] | None:
    """What is wrong after a trial, with its kind; None if nothing is."""
    if found.status is None:
        return "other", "it hung"
    said = found.said
    outcome = said.get("outcome", f"an end with {found.status}")
    if outcome == "stray":
        return "other", f"not an error of Ludus: {said['sentence']}"
    if outcome not in ("done", "refused"):
        return "other", f"no word at the end but {outcome}"
    sentence = said.get("sentence", "-")
    if not sentence.strip() or "\n" in sentence:
        return "other", f"refused with {sentence!r}, which is no sentence"
    hit = [call for call in found.calls if call.injected]
    if not hit:
        return None if outcome == "done" else ("other", f"refused for nothing: {sentence}")
    untold = outcome == "done" and not said["failures"]
    if untold and any(must_be_told(call, str(path)) for call in hit):
        return "lost", f"{hit[0].name} of {hit[0].paths[0]} failed and nobody was told"
    wrong = retried_flush(found.calls)
    if wrong is not None:
        return "lost", wrong
    if acknowledged_after_eio(found.calls):
        return "lost", "something was acknowledged after an EIO of fsync"
    return _what_is_left(path, fault, found)


def _what_is_left(path: Path, fault: Fault, found: Traced) -> tuple[str, str] | None:
    """Whether the run opens at what was acknowledged or at the commit being made, and goes on."""
    told = any("FALLBACK" in notice for notice in found.said.get("notices", ()))
    # A manifest that cannot be read is passed over, and said so: that is no fault of the commit.
    passed_over = told and fault.error == "EIO" and "O_RDONLY" in fault.call.words
    base = BASE - 1 if passed_over else BASE
    last = found.acknowledged[-1] if found.acknowledged else base
    try:
        with Run.open(path, write=True) as run:
            number = int(run.manifest.progress["number"])
            if number < last or number > max(last + 1, BASE):
                return "lost", f"{last} was acknowledged and the run stands at {number}"
            check(run, number)
            if run.notices:
                return "torn", f"after the fault: {run.notices[0][:200]}"
            if list(path.rglob("*.tmp")):
                return "other", "temporary files are left"
            checkpoint = found.said.get("checkpoint")
            if checkpoint is not None:
                verify_checkpoint(path / checkpoint)
            again(run, number + 1)
            check(run, number + 1)
    except (LudusError, AssertionError) as error:
        return "lost", f"it does not open any more: {type(error).__name__}: {error}"
    return None


def run(budget: Budget) -> Outcome:
    """The order of a commit's calls, then each of them made to fail in each way."""
    outcome = Outcome("failed system calls")
    with unheard(), quick_folder(budget) as folder:
        model, path, log = folder / "model", folder / "run", folder / "trace"
        with new_run(model) as made:
            for number in range(BASE + 1):
                commit(made, number)
        shutil.copytree(model, path)
        clean = traced(lambda parent: go_on(path, parent), log)
        outcome.trials += 1
        if clean.said.get("outcome") != "done" or clean.acknowledged != [BASE + 1, BASE + 2]:
            outcome.fail("other", f"without a fault: {clean.said}")
            return outcome
        wrong = wrong_order(clean.calls, str(path))
        if wrong is not None:
            outcome.fail("lost", f"the order of a commit: {wrong}")
        every = list(faults(clean.calls, str(path)))
        count = budget.count(len(every), 12)
        for fault in chosen(every, count, budget.random("faults")):
            shutil.rmtree(path)
            shutil.copytree(model, path)
            found = traced(lambda parent: go_on(path, parent), log, str(fault))
            outcome.trials += 1
            try:
                failure = judge(path, fault, found)
            except Exception as error:  # noqa: BLE001 - counted, with what repeats it
                failure = ("other", f"{type(error).__name__}: {error}")
            if failure is not None:
                outcome.fail(failure[0], f"{fault} on {fault.call.paths[-1]}: {failure[1]}")  # type: ignore[arg-type]
        outcome.figures["faults there are"] = len(every)
        outcome.figures["calls of a resume and two commits"] = len(clean.calls)
    return outcome
