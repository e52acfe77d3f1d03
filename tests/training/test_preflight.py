"""What is looked at before a run is started."""

from dataclasses import replace
from pathlib import Path

import pytest
from tests.training.tiny import SETTINGS, request, train

from ludus.errors import UserError
from ludus.evaluators import BACKENDS
from ludus.runs import RunLock
from ludus.training import forecast, memory
from ludus.training.preflight import Check, look_before, preflight
from ludus.training.request import TrainRequest


@pytest.fixture(scope="module")
def played(tmp_path_factory):
    """A run with one iteration."""
    path = tmp_path_factory.mktemp("preflight") / "run"
    assert train(path, iterations=1).state == "done"
    return path


def by_name(checks: list[Check]) -> dict[str, Check]:
    return {one.name: one for one in checks}


def contents(folder: Path) -> set[tuple[str, int]]:
    return {(str(path), path.stat().st_mtime_ns) for path in folder.rglob("*")}


def test_a_new_run(tmp_path):
    path = tmp_path / "new"
    checks = preflight(request(path))
    assert [one.name for one in checks] == [
        "settings", "lock", "directory", "game", "backend", "disk", "memory",
    ]  # fmt: skip
    assert not [one for one in checks if one.level == "bad"]
    assert "will be made" in by_name(checks)["directory"].text
    assert not path.exists()


def test_a_run_that_is_there(played):
    before = contents(played)
    checks = by_name(preflight(request(played, iterations=2)))
    assert not [one for one in checks.values() if one.level == "bad"]
    assert checks["numbers"].text == "come out as where the run was made"
    assert contents(played) == before, "a check changes nothing"
    done = by_name(preflight(request(played, iterations=1)))
    assert done["limit"].level == "bad" and "nothing to do" in done["limit"].text


def test_what_the_request_refuses_is_one_check(tmp_path):
    def refused() -> TrainRequest:
        raise UserError("this will not do")

    assert look_before(refused) == [Check("request", "bad", "this will not do")]
    (wrong,) = look_before(lambda: request(tmp_path / "new", "search.budget=-1"))
    assert "search.budget" in wrong.text


def test_a_run_in_use(played):
    asked = request(played)
    held = RunLock.acquire(played)
    try:
        lock = by_name(preflight(asked))["lock"]
        (refused,) = look_before(lambda: request(played))
    finally:
        held.release()
    assert lock.level == "bad" and "is in use by process" in lock.text
    assert refused.level == "bad" and "is in use by process" in refused.text


def test_a_folder_that_cannot_be_written(tmp_path, monkeypatch):
    monkeypatch.setattr("os.access", lambda path, mode: False)  # root may write anywhere
    folder = by_name(preflight(request(tmp_path / "new")))["directory"]
    assert folder == Check("directory", "bad", f"{tmp_path} cannot be written to")


def test_a_backend_that_is_not_there(tmp_path, monkeypatch):
    gone = replace(BACKENDS["torch-f32"], obstacle=lambda: "it is gone")
    monkeypatch.setitem(BACKENDS, "torch-f32", gone)
    backend = by_name(preflight(request(tmp_path / "new")))["backend"]
    assert backend.level == "bad"
    assert "torch-f32 is unavailable: it is gone" in backend.text


def test_numbers_that_would_come_out_differently(played, monkeypatch):
    monkeypatch.setattr(
        "ludus.training.birth.fingerprint.differences", lambda stored, now: ["torch 1 is 2"]
    )
    numbers = by_name(preflight(request(played, iterations=2)))["numbers"]
    assert numbers.level == "bad" and "torch 1 is 2; --accept-change" in numbers.text
    accepted = preflight(request(played, iterations=2, accept_change=True))
    assert by_name(accepted)["numbers"].level == "warning"


def test_an_opponent_that_is_no_player(tmp_path):
    game = by_name(preflight(request(tmp_path / "new", "evaluation.opponents=[nobody]")))["game"]
    assert game.level == "bad" and "nobody" in game.text


@pytest.mark.parametrize(
    ("free", "level", "words"),
    [
        (100, "bad", "100 MB are free, and the run would wait until there are 512 MB"),
        (560, "warning", "560 MB are free, which is little"),
        (514, "warning", "the disk has 514 MB free, and the run may need"),
    ],
)
def test_disk(tmp_path, monkeypatch, free, level, words):
    monkeypatch.setattr(forecast, "free_bytes", lambda where: free * 10**6)
    disk = by_name(preflight(request(tmp_path / "new")))["disk"]
    assert disk.level == level and words in disk.text


@pytest.mark.parametrize(
    ("limit", "available", "level", "words"),
    [
        (10**12, 10**12, "good", "about"),
        (10**12, 10**6, "bad", "1 MB of memory are available now, too little to start"),
        (10**8, 10**12, "warning", "there are 100 MB: lower replay.capacity_shards"),
        (None, None, "good", "about"),
    ],
)
def test_memory(tmp_path, monkeypatch, limit, available, level, words):
    monkeypatch.setattr(forecast, "memory_limit", lambda: limit)
    monkeypatch.setattr(memory, "available_bytes", lambda: available)
    found = by_name(preflight(request(tmp_path / "new")))["memory"]
    assert found.level == level and words in found.text


def test_memory_that_is_taken_by_others(tmp_path, monkeypatch):
    path = tmp_path / "new"
    known = TrainRequest.make(
        "yatzy", run=path, assignments=[*SETTINGS, "replay.capacity_shards=9000"], environment={}
    )
    monkeypatch.setattr(memory, "available_bytes", lambda: 2 * 10**9)
    found = by_name(preflight(known))["memory"]
    assert found.level == "warning" and "2000 MB of memory are available now: about" in found.text


def test_a_directory_that_a_start_would_refuse_is_bad(tmp_path):
    (tmp_path / "thesis.txt").write_text("mine")
    checks = {check.name: check for check in preflight(TrainRequest.make("yatzy", run=tmp_path))}
    assert checks["directory"].level == "bad"
    assert "it holds thesis.txt" in checks["directory"].text
