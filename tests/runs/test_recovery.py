"""Opening a run whose newest commit is damaged, newer than this program, or another run's."""

from __future__ import annotations

import errno
import hashlib
import json
import os
import shutil
from pathlib import Path

import pytest
from tests.runs.helpers import check, commit, flip, new_run, snapshot, weights

from ludus.errors import CorruptError, VersionError
from ludus.runs import Run, read_ndjson
from ludus.runs.garbage import Collector
from ludus.runs.jsonio import canonical_json
from ludus.runs.manifest import Manifest, read_manifest
from ludus.runs.objects import read_file, unreadable


@pytest.mark.parametrize(
    ("victim", "damage"),
    [
        (victim, damage)
        for victim in ("manifest", "learner", "shard", "index", "champion")
        for damage in ("flip", "cut", "empty", "missing", "swapped", "other")
        if (victim, damage) != ("manifest", "missing")  # such a commit was never made
    ],
)
def test_fallback_is_loud_and_keeps_what_it_rejects(
    tmp_path: Path, victim: str, damage: str, caplog: pytest.LogCaptureFixture
) -> None:
    with new_run(tmp_path / "run") as run:
        for number in range(3):
            commit(run, number)
        newest = run.manifest
    path = {
        "manifest": "manifests/000004.json",
        "learner": newest.objects["learner"].path,
        "shard": "replay/shard_000002.safetensors",
        "index": newest.objects["replay_index"].path,
        "champion": newest.objects["champion"].path,
    }[victim]
    target = run.path / path
    whole = target.read_bytes()
    if damage == "flip":
        flip(target, len(whole) // 2)
    elif damage == "cut":
        target.write_bytes(whole[:-1])
    elif damage == "empty":
        target.write_bytes(b"")
    elif damage == "missing":
        target.unlink()
    elif damage == "swapped":
        shutil.copy(run.path / "manifests/000003.json", target)
    else:
        target.unlink()
        os.mkfifo(target)  # must not block
    with Run.open(run.path, write=True) as again:
        check(again, 1)
        assert len(again.notices) == 1
        assert "FALLBACK: commit 4 was rejected" in again.notices[0]
        assert "FALLBACK" in caplog.text
        events, _ = read_ndjson(run.path / "logs/events.ndjson")
        assert [event for event in events if event["event"] == "notice"]
        moved = [str(file.relative_to(run.path)) for file in run.path.glob("quarantine/*/*/*")]
        assert any(name.endswith("manifests/000004.json") for name in moved)
        if victim != "manifest" and damage != "missing":
            assert any(name.endswith(path) for name in moved)
        # Whatever cannot be read, no file that came with it is taken for garbage.
        shard = {"replay/shard_000002.safetensors", "replay/shard_000002.json"}
        for name in shard - ({path} if damage == "missing" else set()):
            assert any(other.endswith(name) for other in moved)
        # The same names can be used again for the work done anew.
        commit(again, 2)
        assert again.manifest.sequence == 4
        check(again, 2)
    with Run.open(run.path, write=True) as last:
        check(last, 2)
        assert last.notices == []


def test_falls_back_one_by_one(run: Run) -> None:
    for number in range(5):
        commit(run, number)
    run.close()
    flip(run.path / "manifests/000006.json", 100)
    flip(run.path / "replay/shard_000003.safetensors", 100)  # in commits 5 and 6
    with Run.open(run.path, write=True) as again:
        check(again, 2)
        assert len(again.notices) == 2


def test_no_usable_commit_changes_nothing(run: Run) -> None:
    for number in range(10):
        commit(run, number)
    run.close()
    for manifest in (run.path / "manifests").iterdir():
        flip(manifest, 50)
    before = snapshot(run.path)
    with pytest.raises(CorruptError, match=r"no commit of .* can be used"):
        Run.open(run.path, write=True)
    assert snapshot(run.path) == before


def test_newer_version_is_refused_and_nothing_changes(run: Run) -> None:
    commit(run, 0)
    run.close()
    document = json.loads((run.path / "manifests/000002.json").read_bytes())
    for field in ("format_version", "protocol_version"):
        newer = {**document, field: 2, "sequence": 3, "unheard_of": True}
        del newer["digest"]
        newer["digest"] = hashlib.sha256(canonical_json(newer)).hexdigest()
        (run.path / "manifests/000003.json").write_bytes(canonical_json(newer))
        before = snapshot(run.path)
        for write in (True, False):
            with pytest.raises(VersionError, match=f"{field} 2, .* reads 1"):
                Run.open(run.path, write=write)
        assert snapshot(run.path) == before
    # Damage that merely looks like another version is damage.
    (run.path / "manifests/000003.json").write_bytes(
        canonical_json({**document, "format_version": 2, "sequence": 3})
    )
    with Run.open(run.path, write=True) as again:
        check(again, 0)


def test_newer_index_is_refused_and_nothing_changes(run: Run) -> None:
    commit(run, 0)
    index = run.put_index("replay", (), {})
    newer = json.loads((run.path / index.path).read_bytes()) | {"format_version": 2}
    ref = run.put_file("state/newer.json", canonical_json(newer))
    run.put_object("learner", weights(1), {})
    manifest = run.manifest.successor(
        sequence=3, progress={}, objects={"replay": ref}, counters={}, logs={},
        elapsed_seconds=1.0, incarnation="x", permanent=(), good=True,
    )  # fmt: skip
    run.store.put_manifest("000003.json", manifest.encode())
    run.close()
    before = snapshot(run.path)
    with pytest.raises(VersionError, match=r"format_version 2, .* reads 1"):
        Run.open(run.path, write=True)
    assert snapshot(run.path) == before


def test_manifest_of_another_run_is_rejected(run: Run, tmp_path: Path) -> None:
    commit(run, 0)
    run.close()
    with new_run(tmp_path / "other") as other:
        commit(other, 0)
        commit(other, 1)
    shutil.copytree(other.path, run.path, dirs_exist_ok=True, ignore=_only_newer)
    with Run.open(run.path, write=True) as again:
        check(again, 0)
        assert again.id == run.id
        assert "belongs to another run" in again.notices[0]


def _only_newer(folder: str, names: list[str]) -> list[str]:
    return [name for name in names if name in ("000001.json", "000002.json", "run.lock", "logs")]


@pytest.mark.parametrize("victim", ["newest", "older"])
def test_an_index_that_the_disk_does_not_give_makes_nothing_garbage(
    tmp_path: Path, victim: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The files that it names were removed: nobody could say that a commit reaches them."""
    with new_run(tmp_path / "run") as run:
        for number in range(3):
            commit(run, number)
        manifests = [read_manifest(run.path / "manifests" / f"00000{n}.json") for n in (4, 3)]
    refused = run.path / manifests[victim == "older"].objects["replay_index"].path
    shards = sorted(os.listdir(run.path / "replay"))
    collecting: list[bool] = []
    tried: list[Path] = []

    def reading(path: Path, limit: int) -> bytes:
        if path == refused and collecting:
            tried.append(path)
            raise unreadable(path, OSError(errno.EIO, "Input/output error"))
        return read_file(path, limit)

    def collect(self: Collector, newest: Manifest) -> list[tuple[str, int]]:
        collecting.append(True)
        return collected(self, newest)

    collected = Collector.collect
    monkeypatch.setattr(Collector, "collect", collect)
    monkeypatch.setattr("ludus.runs.store.read_file", reading)
    if victim == "newest":
        with pytest.raises(CorruptError, match="cannot be read: Input/output error"):
            Run.open(run.path, write=True)
    else:
        with Run.open(run.path, write=True) as again:
            commit(again, 3)
    assert tried
    monkeypatch.undo()
    assert set(shards) <= set(os.listdir(run.path / "replay"))
    with Run.open(run.path, write=True) as again:
        check(again, 3 if victim == "older" else 2)
        assert not again.notices
