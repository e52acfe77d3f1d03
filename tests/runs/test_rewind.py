"""Going back to a commit in the process that holds the run."""

from __future__ import annotations

import errno
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from tests.runs.helpers import Crash, FaultyOs, check, commit, new_run

from ludus.errors import CorruptError
from ludus.runs import Run, SaveError, newest_good, read_manifest, read_ndjson

Install = Callable[..., FaultyOs]
WRITING = ("write", "fsync", "link", "rename", "replace", "ftruncate")


def put_suspicious(run: Run, number: int) -> None:
    """A commit like those of the helpers, not marked good."""
    real = run.commit
    run.commit = lambda *args, **options: real(*args, good=False, **options)  # type: ignore[method-assign]
    try:
        commit(run, number)
    finally:
        del run.commit


def prepared(path: Path) -> Run:
    """A run at commits 1 and 2 (good), 3 and 4 (not), with work that no commit has."""
    model = path.parent / "model"
    if not model.exists():
        with new_run(model) as run:
            for number in (0, 1, 2):
                commit(run, number)
            for number in (3, 4):
                put_suspicious(run, number)
    shutil.copytree(model, path)
    run = Run.open(path, write=True)
    run.metrics.append("train_step", step=5, loss=0.5)
    run.events.append("something")
    run.counters.add("games", 77)
    run.put_object("learner", {}, {"number": 5})
    return run


def test_back_to_the_commit_that_the_run_stands_at(tmp_path: Path) -> None:
    with prepared(tmp_path / "run") as run:
        run.rewind(run.manifest, "an error")
        check(run, 4)
        run.metrics.append("train_step", step=5, loss=0.5)  # the same step again
        run.events.append("something")
        commit(run, 6)
        check(run, 6)
        assert run.manifest.sequence == 7
    records, bad = read_ndjson(tmp_path / "run/logs/metrics.ndjson")
    steps = [record["step"] for record in records if record["event"] == "train_step"]
    assert (steps, bad) == ([0, 1, 2, 3, 4, 5, 6], 0)
    told, _ = read_ndjson(tmp_path / "run/logs/events.ndjson")
    assert sum(record["event"] == "something" for record in told) == 2, "events are not undone"


def test_again_and_again_also_by_another_process(tmp_path: Path) -> None:
    path = tmp_path / "run"
    prepared(path).close()
    for _ in range(2):
        with Run.open(path, write=True) as run:
            for _ in range(2):
                run.metrics.append("train_step", step=5, loss=0.5)
                run.rewind(run.manifest, "an error")
                check(run, 4)
    assert len(list(path.glob("quarantine/metrics.ndjson.tail-*"))) >= 4


def test_back_to_the_newest_good_commit(tmp_path: Path) -> None:
    path = tmp_path / "run"
    with prepared(path) as run:
        good = newest_good(path, run.store)
        assert good.progress == {"number": 2}
        run.rewind(good, "numbers went wrong")
        check(run, 2)
        assert len(list(path.glob("quarantine/*/manifests/*.json"))) == 2
        commit(run, 3)
        check(run, 3)
        assert run.manifest.parent_sequence == good.sequence
        assert run.manifest.sequence > 5, "a number is used once"
    with Run.open(path, write=True) as run:
        check(run, 3)
        assert read_manifest(path / "manifests" / f"{run.manifest.sequence:06d}.json").good


def test_without_a_good_commit_it_is_said(tmp_path: Path) -> None:
    with (
        new_run(tmp_path / "run") as run,
        pytest.raises(CorruptError, match=r"no commit of .* was marked good"),
    ):
        newest_good(run.path, run.store)


def test_a_crash_at_every_call_of_the_way_back(tmp_path: Path, faulty_os: Install) -> None:
    with prepared(tmp_path / "clean") as run:
        good = newest_good(run.path, run.store)
        faulty = faulty_os(0)
        run.rewind(good, "numbers")
        total = len(faulty.calls)
    assert total > 10
    seen = []
    for at in range(1, total + 1):
        path = tmp_path / f"crash{at}"
        faulty_os(0)
        run = prepared(path)
        good = newest_good(path, run.store)
        faulty_os(at, Crash)
        with pytest.raises(Crash):
            run.rewind(good, "numbers")
        faulty_os(0)
        run.close()
        with Run.open(path, write=True) as run:
            number = int(run.manifest.progress["number"])
            check(run, number)
            seen.append(number)
            commit(run, number + 1)
    assert set(seen) >= {4, 2}
    assert seen == sorted(seen, reverse=True), "never forward again"


def test_a_way_back_that_finds_no_room_can_be_gone_again(
    tmp_path: Path, faulty_os: Install
) -> None:
    with prepared(tmp_path / "clean") as run:
        good = newest_good(run.path, run.store)
        faulty = faulty_os(0, only=WRITING)
        run.rewind(good, "numbers")
        total = len(faulty.calls)
    failures = 0
    for at in range(1, total + 1):
        faulty_os(0)
        with prepared(tmp_path / f"full{at}") as run:
            good = newest_good(run.path, run.store)
            faulty_os(at, errno.ENOSPC, only=WRITING)
            try:
                run.rewind(good, "numbers")
            except SaveError:
                failures += 1
                faulty_os(0)
                run.rewind(good, "numbers")
            faulty_os(0)
            check(run, 2)
            commit(run, 3)
            check(run, 3)
    assert failures > 3, total
