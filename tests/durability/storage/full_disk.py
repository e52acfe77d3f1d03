"""R8: a disk full at whatever byte leaves the run where it was, and it goes on with room."""

from __future__ import annotations

import ctypes
import os
import random
import resource
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.durability.experiment import Budget, Outcome
from tests.durability.storage.common import fork, quick_folder, unheard
from tests.runs.helpers import new_run, weights

from ludus.errors import LudusError
from ludus.runs import KeepLast, Run, SaveError, disk_is_full, read_ndjson

PAGE = 4096
STANDS = 3
_WEIGHTS = 4000
"""So many numbers that a file of them is several pages."""


def commit(run: Run, number: int) -> None:
    """A commit of files of several pages, from whatever a failed attempt left."""
    del run.iterations[number:]
    run.iterations.append({"number": number})
    run.counters = type(run.counters).from_dict({"games": 10 * (number + 1)})
    run.metrics.append("train_step", loss=1.0, text="x" * 3000)
    arrays = weights(number, _WEIGHTS)
    shard = run.put_shard(number, arrays, {})
    run.commit(
        {"number": number},
        {
            "learner": run.put_object("learner", arrays, {"number": number}),
            "champion": run.put_model("champion", number, arrays, {}),
            "replay_index": run.put_index("replay", [shard], {"games": number}),
        },
    )


def save(run: Run, number: int) -> None:
    """A commit and a checkpoint."""
    commit(run, number)
    run.save_checkpoint(
        weights(number, _WEIGHTS), {}, unit=number, policy=KeepLast(2), parameters=9
    )


def whole(run: Run, number: int) -> str | None:
    """What is wrong with commit `number`, if anything."""
    if run.manifest.progress != {"number": number}:
        return f"it stands at {dict(run.manifest.progress)}, not at {number}"
    tensors, _ = run.get_object(run.manifest.objects["learner"])
    wanted = weights(number, _WEIGHTS)
    if any(tensors[name].tobytes() != wanted[name].tobytes() for name in wanted):
        return f"the weights of {number} are others"
    if run.notices:
        return run.notices[0]
    lines, bad = read_ndjson(run.path / "logs/metrics.ndjson")
    steps = [line["step"] for line in lines if line["event"] == "train_step"]
    if bad or steps != sorted(set(steps)):
        return f"the log has the steps {steps} and {bad} bad lines"
    return None


class SmallDisk:
    """A file system in memory whose size can be set. Raises OSError where none may be mounted."""

    def __init__(self, path: Path) -> None:
        """Mount it, with much room."""
        self.path = path
        path.mkdir()
        self._mount(0, "size=64m")

    def _mount(self, flags: int, options: str) -> None:
        libc = ctypes.CDLL(None, use_errno=True)
        if libc.mount(b"ludus", os.fsencode(self.path), b"tmpfs", flags, options.encode()) != 0:
            raise OSError(ctypes.get_errno(), f"no tmpfs of {options} on {self.path}")

    def pages(self) -> int:
        """Pages that are used."""
        about = os.statvfs(self.path)
        return about.f_blocks - about.f_bfree

    def resize(self, pages: int | None) -> None:
        """So many pages in all; None for much room."""
        remount = 32
        self._mount(remount, f"nr_blocks={pages}" if pages else "size=64m")

    def remove(self) -> None:
        """Unmount it."""
        ctypes.CDLL(None).umount2(os.fsencode(self.path), 2)


def fill(disk: SmallDisk, model: Path, spare: int, waits: bool) -> str | None:
    """Save with so many pages to spare, then with room: the same process, or the next one."""
    path = disk.path / "run"
    disk.resize(None)
    shutil.rmtree(path, ignore_errors=True)
    shutil.copytree(model, path)
    made = STANDS
    with Run.open(path, write=True) as run:
        disk.resize(disk.pages() + spare)
        try:
            save(run, STANDS + 1)
            made = STANDS + 1
        except SaveError as error:
            if not disk_is_full(error):
                return f"a full disk is told as {error}"
            if run.manifest.progress["number"] == STANDS + 1:
                made = STANDS + 1  # it was the checkpoint that found no room
        stands = run.manifest.progress["number"]
        if stands != made:
            return f"in memory it stands at {stands}, not at {made}"
        if waits:  # the process waits for room, and goes on
            disk.resize(None)
            save(run, STANDS + 1 if made == STANDS else STANDS + 2)
            made = int(run.manifest.progress["number"])
    if not waits:  # the process ends; another one finds the disk full, then finds room
        try:
            with Run.open(path, write=True) as run:
                if run.manifest.progress["number"] not in (STANDS, STANDS + 1):
                    return f"on the full disk it opens at {dict(run.manifest.progress)}"
        except SaveError as error:
            if not disk_is_full(error):
                return f"a full disk is told as {error}"
    disk.resize(None)
    return _goes_on(path, made)


def _goes_on(path: Path, made: int) -> str | None:
    with Run.open(path, write=True) as run:
        wrong = whole(run, made)
        if wrong is not None:
            return wrong
        if list(path.rglob("*.tmp")):
            return "temporary files are left"
        save(run, made + 1)
    with Run.open(path, write=True) as run:
        return whole(run, made + 1)


def short_writes(model: Path, path: Path, limit: int) -> str | None:
    """Save where no file may grow beyond a limit: the last write of it is a short one."""
    shutil.rmtree(path, ignore_errors=True)
    shutil.copytree(model, path)
    ours, theirs = os.pipe()

    def limited() -> None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (limit, resource.RLIM_INFINITY))
        said = "done"
        try:
            with Run.open(path, write=True) as run:
                save(run, STANDS + 1)
        except LudusError:
            said = "refused"
        except OSError as error:
            said = f"a stray {type(error).__name__}: {error}"
        os.write(theirs, said.encode())

    child = fork(limited)
    os.close(theirs)
    said = os.read(ours, 4096).decode()
    os.close(ours)
    os.waitpid(child, 0)
    if said not in ("done", "refused"):
        return said or "the process said nothing"
    with Run.open(path, write=False) as run:
        number = int(run.manifest.progress["number"])
    if number not in (STANDS, STANDS + 1) or (said == "done" and number == STANDS):
        return f"{said}, and it stands at {number}"
    return _goes_on(path, number)


@contextmanager
def small_disk(outcome: Outcome, folder: Path) -> Iterator[SmallDisk | None]:
    """A disk whose size can be set, or None with the reason among what was skipped."""
    try:
        disk = SmallDisk(folder / "disk")
    except OSError as error:
        outcome.skipped.append(f"disks of every size need root and a tmpfs: {error.strerror}")
        yield None
        return
    try:
        yield disk
    finally:
        disk.remove()


def _tried(outcome: Outcome, what: str, wrong: str | None) -> None:
    outcome.trials += 1
    if wrong is not None:
        outcome.fail("lost", f"{what}: {wrong}")


def run(budget: Budget) -> Outcome:
    """A disk of every size around what a commit needs; files that may not grow."""
    outcome = Outcome("full disks")
    with unheard(), quick_folder(budget) as folder, small_disk(outcome, folder) as disk:
        model = folder / "model"
        with new_run(model) as made:
            for number in range(STANDS + 1):
                commit(made, number)
        if disk is not None:
            shutil.copytree(model, disk.path / "run")
            before = disk.pages()
            with Run.open(disk.path / "run", write=True) as made:
                save(made, STANDS + 1)
            need = disk.pages() - before + 8
            cases = _some(2 * need, budget.count(need * 8, 12), budget.random("sizes"))
            for case in sorted([1, *cases]):  # 1: no room at all for a process that waits
                spare, waits = case // 2, case % 2 == 1
                try:
                    wrong = fill(disk, model, spare, waits)
                except Exception as error:  # noqa: BLE001 - counted, with what repeats it
                    wrong = f"{type(error).__name__}: {error}"
                _tried(
                    outcome, f"{spare} pages to spare, {'it waits' if waits else 'it ends'}", wrong
                )
            outcome.figures["pages that a save needs"] = need - 8
        largest = 20_000
        limits = _some(largest, budget.count(600, 8), budget.random("limits"))
        for limit in sorted(limits):
            try:
                wrong = short_writes(model, folder / "run", limit)
            except Exception as error:  # noqa: BLE001 - counted, with what repeats it
                wrong = f"{type(error).__name__}: {error}"
            _tried(outcome, f"files of at most {limit} bytes", wrong)
    return outcome


def _some(size: int, count: int, rng: random.Random) -> list[int]:
    """So many numbers below `size`, each at least once if there are enough."""
    return [*(list(range(size)) * (count // size)), *rng.sample(range(size), count % size)]
