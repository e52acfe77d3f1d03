"""Crashes and failing disks: at whatever instant, the old commit stands or the new one."""

from __future__ import annotations

import contextlib
import errno
import json
import multiprocessing
import os
import random
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from tests.runs.helpers import FAILING, Crash, FaultyOs, check, commit, new_run

from ludus.errors import RunError, RunLockedError
from ludus.runs import DurabilityError, Run, SaveError, SavePolicy, layout, lock_holder, objects
from ludus.runs.lock import RunLock

Install = Callable[..., FaultyOs]


def prepared(path: Path) -> Run:
    """A run that stands at commit 1 of the toy, with a log tail beyond it."""
    model = path.parent / "model"
    if not model.exists():
        with new_run(model) as run:
            commit(run, 0)
            commit(run, 1)
    shutil.copytree(model, path)
    run = Run.open(path, write=True)
    run.metrics.append("train_step", step=1, loss=0.5)
    return run


def count_calls(path: Path, install: Install, only: tuple[str, ...] = FAILING) -> int:
    """How many such calls the next commit makes."""
    with prepared(path) as run:
        faulty = install(0, only=only)
        commit(run, 2)
        return len(faulty.calls)


def old_or_new(path: Path, install: Install) -> int:
    """Resume and check that the run is whole at commit 1 or 2; go on to show that it works."""
    install(0)
    with Run.open(path, write=True) as run:
        number = int(run.manifest.progress["number"])
        assert number in (1, 2)
        check(run, number)
        assert not [notice for notice in run.notices if "FALLBACK" in notice], run.notices
        assert not list(path.rglob("*.tmp"))
        commit(run, 3)
        check(run, 3)
    return number


def test_crash_at_every_call_of_a_commit(tmp_path: Path, faulty_os: Install) -> None:
    total = count_calls(tmp_path / "clean", faulty_os)
    assert total > 40
    seen = []
    for at in range(1, total + 1):
        path = tmp_path / f"crash{at}"
        run = prepared(path)
        faulty_os(at, Crash)
        with pytest.raises(Crash):
            commit(run, 2)
        faulty_os(0)
        run.close()
        seen.append(old_or_new(path, faulty_os))
    # Old before the manifest has its name, new from then on, never old again.
    assert seen == sorted(seen)
    assert set(seen) == {1, 2}


@pytest.mark.parametrize(
    ("error", "only"),
    [
        (errno.ENOSPC, FAILING),
        (errno.EIO, ("fsync",)),
        pytest.param(errno.EIO, FAILING, marks=pytest.mark.slow),
        pytest.param(errno.EACCES, FAILING, marks=pytest.mark.slow),
        pytest.param(errno.EMFILE, FAILING, marks=pytest.mark.slow),
    ],
)
def test_every_call_of_a_commit_fails_once(
    tmp_path: Path, faulty_os: Install, error: int, only: tuple[str, ...]
) -> None:
    total = count_calls(tmp_path / "clean", faulty_os, only)
    failures = 0
    for at in range(1, total + 1):
        path = tmp_path / f"fail{at}"
        with prepared(path) as run:
            faulty = faulty_os(at, error, only=only)
            try:
                commit(run, 2)
            except DurabilityError:
                assert error == errno.EIO
                assert faulty.calls[at - 1] == "fsync"
                failures += 1
                faulty_os(0)
            except (SaveError, RunError):
                failures += 1
                faulty_os(0)
                assert not (error == errno.EIO and faulty.calls[at - 1] == "fsync")
                # The process goes on: a second try makes the commit under new names.
                del run.iterations[2:]
                run.counters = type(run.counters).from_dict({"games": 20})
                commit(run, 2)
                check(run, 2)
        old_or_new(path, faulty_os)
    assert failures > total / 2


def test_crash_at_every_call_of_taking_a_run(tmp_path: Path, faulty_os: Install) -> None:
    model = tmp_path / "damaged"
    with prepared(model) as run:
        commit(run, 2)
        run.metrics.append("train_step", step=2, loss=0.5)
    with (model / "manifests/000004.json").open("r+b") as file:
        file.write(b"?")
    shutil.copytree(model, tmp_path / "clean")
    faulty = faulty_os(0)
    with Run.open(tmp_path / "clean", write=True):
        total = len(faulty.calls)
    assert total > 20
    for at in range(1, total + 1):
        path = tmp_path / f"crash{at}"
        shutil.copytree(model, path)
        faulty_os(at, Crash)
        with pytest.raises(Crash):
            Run.open(path, write=True)
        faulty_os(0)
        with Run.open(path, write=True) as run:
            check(run, 1)
            kept = list(path.glob("quarantine/*/manifests/000004.json"))
            assert len(kept) == 1  # rejected, never lost


def test_crash_at_every_call_of_creation(tmp_path: Path, faulty_os: Install) -> None:
    faulty = faulty_os(0)
    with new_run(tmp_path / "clean"):
        total = len(faulty.calls)
    for at in range(1, total + 1):
        path = tmp_path / f"crash{at}"
        faulty_os(at, Crash)
        with pytest.raises(Crash):
            new_run(path)
        faulty_os(0)
        if list((path / "manifests").glob("0*.json")):
            run = Run.open(path, write=True)
        else:
            run = new_run(path)
        with run:
            assert run.fresh
            commit(run, 0)
            check(run, 0)


@pytest.mark.parametrize("error", [errno.EACCES, errno.EMFILE])
def test_what_cannot_be_read_now_is_not_rejected(
    tmp_path: Path, faulty_os: Install, error: int
) -> None:
    model = tmp_path / "whole"
    with prepared(model) as run:
        commit(run, 2)
    faulty = faulty_os(0, only=("open",))
    Run.open(model, write=True).close()
    total = len(faulty.calls)
    for at in range(1, total + 1):
        faulty_os(at, error, only=("open",))
        with contextlib.suppress(RunError, SaveError):
            Run.open(model, write=True).close()
        faulty_os(0)
        assert not list(model.glob("quarantine/*commit*"))
    with Run.open(model, write=True) as run:
        check(run, 2)
        assert run.notices == []


def test_a_folder_that_cannot_be_listed_is_no_damage(
    run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    commit(run, 0)
    real = os.listdir

    def refuse(path: object) -> list[str]:
        if str(path).endswith("/state"):
            raise OSError(errno.EMFILE, "Too many open files")
        return real(path)  # type: ignore[call-overload, no-any-return]

    monkeypatch.setattr(layout.os, "listdir", refuse)
    commit(run, 1)  # it is made; nothing is collected
    run.close()
    with pytest.raises(RunError, match=r"/state cannot be listed: Too many open files"):
        Run.open(run.path, write=True)
    monkeypatch.undo()
    with Run.open(run.path, write=True) as again:
        check(again, 1)
        assert again.notices == []


def test_eio_of_fsync_is_never_tried_again(run: Run, faulty_os: Install) -> None:
    commit(run, 0)
    faulty = faulty_os(1, errno.EIO, only=("fsync",))
    waits: list[float] = []
    with pytest.raises(DurabilityError):
        run.save(lambda: commit(run, 1), required=False, wait=waits.append)
    assert len(faulty.calls) == 1
    assert waits == []
    assert run.save_failures == 1


def test_a_failed_save_is_tried_once_more_after_5_seconds(run: Run, faulty_os: Install) -> None:
    commit(run, 0)
    waits: list[float] = []
    objects_of_0 = dict(run.manifest.objects)
    faulty_os(1, errno.ENOSPC, only=("fsync",))
    made = run.save(
        lambda: run.commit({"number": 0}, objects_of_0), required=False, wait=waits.append
    )
    assert made is not None
    assert waits == [5.0]
    assert run.save_failures == 1
    attempts: list[int] = []

    def fails() -> None:
        attempts.append(1)
        raise SaveError("full")

    assert run.save(fails, required=False, wait=waits.append) is None
    assert len(attempts) == 2
    with pytest.raises(SaveError):
        run.save(fails, required=True, wait=waits.append)
    assert len(attempts) == 4
    assert run.save_failures == 5


def test_free_space_levels(tmp_path: Path) -> None:
    free = SavePolicy(warn_bytes=0, floor_bytes=0).space(tmp_path).free_bytes
    assert free > 0
    huge = 1 << 60
    assert SavePolicy(warn_bytes=0, floor_bytes=0).space(tmp_path).level == "ok"
    assert SavePolicy(warn_bytes=huge, floor_bytes=0).space(tmp_path).level == "warn"
    assert SavePolicy(warn_bytes=huge, floor_bytes=huge).space(tmp_path).level == "floor"
    default = SavePolicy()
    assert (default.retry_seconds, default.warn_bytes, default.floor_bytes) == (5.0, 2e9, 512e6)


def test_short_writes_are_completed(
    run: Run, faulty_os: Install, monkeypatch: pytest.MonkeyPatch
) -> None:
    faulty = faulty_os(0)
    real = os.write
    monkeypatch.setattr(
        faulty, "write", lambda fd, data: real(fd, bytes(data)[: 1 + len(data) // 3]), raising=False
    )
    commit(run, 0)
    check(run, 0)


def test_file_systems_without_links(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(source: object, target: object) -> None:
        raise OSError(errno.EPERM, "no links here")

    monkeypatch.setattr(objects.os, "link", refuse)
    commit(run, 0)
    check(run, 0)
    with pytest.raises(objects.NameTakenError):
        objects.write_new(run.path / "manifests", "000001.json", [b"x"], stem="x")


_WRITER = """
import sys
from pathlib import Path
sys.path[:0] = sys.argv[3:]
from tests.runs.helpers import commit
from ludus.runs import Run
with Run.open(sys.argv[1], write=True) as run, open(sys.argv[2], "a", buffering=1) as acks:
    while True:
        number = len(run.iterations)
        commit(run, number)
        acks.write(f"{number}\\n")
"""


def test_sigkill_at_random_moments_loses_no_acknowledged_commit(tmp_path: Path) -> None:
    path, acks = tmp_path / "run", tmp_path / "acks"
    new_run(path).close()
    root = Path(__file__).parents[2]
    rng = random.Random(5)
    for _ in range(6):
        before = acks.read_text().count("\n") if acks.exists() else 0
        child = subprocess.Popen(
            [sys.executable, "-c", _WRITER, path, acks, root / "src", root],
            env={**os.environ, "PYTHONDONTWRITEBYTECODE": "1"},
        )
        deadline = time.monotonic() + 30
        while (acks.read_text().count("\n") if acks.exists() else 0) == before:
            assert child.poll() is None
            assert time.monotonic() < deadline
            time.sleep(0.002)
        time.sleep(rng.random() * 0.05)
        child.send_signal(signal.SIGKILL)
        child.wait()
        done = [int(line) for line in acks.read_text().splitlines()]
        assert done == list(range(len(done)))  # nothing twice, nothing skipped
        with Run.open(path, write=True) as run:  # a SIGKILLed holder holds nothing
            number = int(run.manifest.progress["number"])
            assert number in (done[-1], done[-1] + 1)
            check(run, number)
            assert not [notice for notice in run.notices if "FALLBACK" in notice]
            if number > done[-1]:
                with acks.open("a") as file:
                    file.write(f"{number}\n")


def _race(path: str, barrier: object, results: object) -> None:
    barrier.wait()  # type: ignore[attr-defined]
    try:
        lock = RunLock.acquire(Path(path))
    except RunLockedError as error:
        results.put(("lost", str(error)))  # type: ignore[attr-defined]
    else:
        results.put(("won", str(os.getpid())))  # type: ignore[attr-defined]
        time.sleep(1.0)
        lock.release()


def test_of_simultaneous_starts_exactly_one_wins(run: Run) -> None:
    run.close()
    assert lock_holder(run.path) is None
    context = multiprocessing.get_context("spawn")
    barrier, results = context.Barrier(4), context.Queue()
    children = [
        context.Process(target=_race, args=(str(run.path), barrier, results)) for _ in range(4)
    ]
    for child in children:
        child.start()
    outcomes = [results.get(timeout=60) for _ in children]
    for child in children:
        child.join()
    winners = [text for kind, text in outcomes if kind == "won"]
    losers = [text for kind, text in outcomes if kind == "lost"]
    assert len(winners) == 1
    assert len(losers) == 3
    assert all(f"process {winners[0]} on" in text for text in losers)
    Run.open(run.path, write=True).close()


def test_asking_for_the_holder_never_blocks_a_start(run: Run) -> None:
    holder = lock_holder(run.path)
    assert holder is not None
    assert holder.pid == os.getpid()
    assert json.loads((run.path / "run.lock").read_text())["pid"] == os.getpid()
    run.close()
    probing = subprocess.Popen(
        [
            sys.executable,
            "-c",
            "import sys; sys.path.insert(0, sys.argv[2])\n"
            "from pathlib import Path\n"
            "from ludus.runs import lock_holder\n"
            "print('go', flush=True)\n"
            "while True: lock_holder(Path(sys.argv[1]))",
            run.path,
            Path(__file__).parents[2] / "src",
        ],
        stdout=subprocess.PIPE,
    )
    try:
        assert probing.stdout is not None
        probing.stdout.readline()
        for _ in range(20):
            Run.open(run.path, write=True).close()
    finally:
        probing.kill()
        probing.communicate()
