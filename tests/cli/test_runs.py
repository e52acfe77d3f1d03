"""Runs on the disk: listed, measured, deleted so that no half of one looks whole, cleaned."""

import json
import os
import shutil

import pytest
from tests.training.tiny import train

from ludus.cli import main as cli
from ludus.cli import runs as commands
from ludus.errors import RunError
from ludus.runs import (
    Run,
    SaveError,
    birth,
    delete_run,
    half_deleted,
    is_run,
    list_checkpoints,
    part_sizes,
    removal,
)


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """A run of two iterations with checkpoints, one of them permanent."""
    path = tmp_path_factory.mktemp("runs") / "yatzy"
    ending = train(path, "gating.enabled=false", "evaluation.every=0", iterations=2)
    assert ending is not None
    return path


@pytest.fixture
def copy(made, tmp_path):
    path = shutil.copytree(made, tmp_path / "runs" / "yatzy", symlinks=True)
    newest = list_checkpoints(path)[-1]
    shutil.copy(path / newest.path, path / "checkpoints" / "permanent" / "kept.ckpt")
    return path


def ludus(capsys, *arguments):
    code = cli.main(list(map(str, arguments)))
    said = capsys.readouterr()
    return code, said.out, said.err


def files(path):
    return {str(p.relative_to(path)) for p in path.rglob("*") if not p.is_dir()}


def test_runs_are_listed_without_being_asked_to(capsys, copy):
    for words in (["runs", copy.parent], ["runs", "list", copy.parent]):
        code, out, _ = ludus(capsys, *words)
        assert code == 0
        assert out.splitlines()[0].split()[:4] == ["run", "recipe", "state", "iteration"]
        assert f"{copy}" in out
        assert " MB" in out
    listed = json.loads(ludus(capsys, "runs", copy.parent, "--json")[1])
    assert listed[0]["bytes"] == sum(p.lstat().st_size for p in copy.rglob("*") if p.is_file())


def test_sizes_by_part_are_those_of_the_files(capsys, copy):
    (copy / "quarantine" / "old").write_bytes(b"x" * 1000)
    (copy / "notes.txt").write_bytes(b"x" * 10)
    sizes = part_sizes(copy)
    assert sizes["quarantine"] == 1000
    assert sizes["checkpoints"] == (copy / "checkpoints/permanent/kept.ckpt").stat().st_size
    assert sizes["replay"] == sum(p.stat().st_size for p in (copy / "replay").iterdir())
    assert sum(sizes.values()) == sum(p.lstat().st_size for p in copy.rglob("*") if p.is_file())
    out = ludus(capsys, "runs", copy.parent, "--sizes")[1]
    assert out.split()[:4] == ["run", "replay", "checkpoints", "cache"]


def test_a_run_is_deleted_with_all_it_has(capsys, copy):
    before = sum(part_sizes(copy).values())
    code, out, _ = ludus(capsys, "runs", "delete", copy, "--yes")
    assert code == 0
    assert not copy.exists()
    assert f"{before / 1e6:.1f} MB" in out


def test_checkpoints_can_be_kept(capsys, copy):
    code, _, err = ludus(capsys, "runs", "delete", copy, "--yes", "--keep-checkpoints")
    assert code == 0
    assert files(copy) == {"checkpoints/permanent/kept.ckpt"}
    assert "kept.ckpt" in err
    assert not is_run(copy)


def test_what_is_not_the_runs_own_stays(copy):
    (copy / "notes.txt").write_text("mine")
    big = copy.parent / "elsewhere"
    big.mkdir()
    (big / "data").write_text("mine")
    shutil.rmtree(copy / "games")
    (copy / "games").symlink_to(big)
    (copy / "logs" / "link").symlink_to(big)
    done = delete_run(copy)
    assert done.kept == ("notes.txt",)
    assert (big / "data").read_text() == "mine"


def test_deletion_asks(capsys, copy, monkeypatch):
    code, _, err = ludus(capsys, "runs", "delete", copy)
    assert code == 2
    assert "--yes" in err
    monkeypatch.setattr(commands.sys.stdin, "isatty", lambda: True, raising=False)
    monkeypatch.setattr(commands.typer, "confirm", lambda question, err: False)
    code, _, err = ludus(capsys, "runs", "delete", copy)
    assert code == 0
    assert "nothing was deleted" in err
    assert is_run(copy)


def test_what_is_no_run_is_refused(capsys, copy, tmp_path):
    for path in (tmp_path, tmp_path / "nowhere", copy / "logs"):
        code, _, err = ludus(capsys, "runs", "delete", path, "--yes")
        assert code == 2
        assert str(path) in err
    link = tmp_path / "link"
    link.symlink_to(copy)
    assert "is a link" in ludus(capsys, "runs", "delete", link, "--yes")[2]
    assert is_run(copy)


def test_a_run_in_use_is_refused(capsys, copy):
    with Run.open(copy, write=True):
        for command in ("delete", "clean"):
            (copy / "quarantine" / "old").write_text("x")
            code, _, err = ludus(capsys, "runs", command, copy, "--yes")
            assert code == 2
            assert "in use by process" in err
        with pytest.raises(RunError):
            delete_run(copy)
    assert is_run(copy)


class Killed(BaseException):
    """The process is gone."""


@pytest.mark.parametrize("keep", [False, True])
def test_a_deletion_killed_anywhere_is_no_run_and_can_be_finished(copy, monkeypatch, keep):
    """Every step that removes or renames is the last one in turn."""
    original = copy.parent / "original"
    shutil.copytree(copy, original)
    left = [0]

    def counted(real):
        def call(*arguments, **options):
            if left[0] == 0:
                raise Killed
            left[0] -= 1
            return real(*arguments, **options)

        return call

    step, seen = 0, set()
    while True:
        shutil.rmtree(copy, ignore_errors=True)
        shutil.copytree(original, copy)
        left[0] = step
        with monkeypatch.context() as patch:
            for name in ("rename", "rmdir", "unlink"):
                patch.setattr(removal.os, name, counted(getattr(os, name)))
            try:
                delete_run(copy, keep_checkpoints=keep)
                break
            except Killed:
                pass
        seen.add((is_run(copy), half_deleted(copy)))
        assert is_run(copy) == copy.joinpath("manifests").is_dir()
        if is_run(copy):
            # All of it is still there, and it can be trained on.
            assert files(copy) - {"manifests/keep-checkpoints"} == files(original)
            Run.open(copy, write=True).close()
        elif half_deleted(copy):
            delete_run(copy)  # what was to be kept is remembered
            kept = {"checkpoints/permanent/kept.ckpt"} if keep else set()
            assert (files(copy) if copy.exists() else set()) == kept
        step += 1
    assert {(True, False), (False, True)} <= seen
    assert step > 30


def test_a_half_deleted_run_is_told_of_and_cannot_be_trained(capsys, copy):
    (copy / "manifests").rename(copy / "manifests.deleted")
    _, _, err = ludus(capsys, "runs", copy.parent)
    assert f"ludus runs delete {copy}" in err
    with pytest.raises(RunError, match=r"manifests\.deleted"):
        birth.require_free(copy)
    assert ludus(capsys, "status", copy)[0] == 2
    assert ludus(capsys, "runs", "delete", copy, "--yes")[0] == 0
    assert not copy.exists()


def test_a_disk_that_refuses_is_said(copy, monkeypatch):
    def refuse(*_):
        raise OSError(30, "Read-only file system")

    monkeypatch.setattr(removal.os, "rename", refuse)
    with pytest.raises(SaveError, match="Read-only"):
        delete_run(copy)
    assert is_run(copy)


def test_cleaning_takes_what_nobody_needs(capsys, copy):
    (copy / "quarantine" / "commit3").mkdir()
    (copy / "quarantine" / "commit3" / "a").write_bytes(b"x" * 500)
    for day in (10, 11, 12):
        (copy / "reports" / f"202601{day}T000000Z-000001").mkdir()
    before = Run.open(copy, write=False)
    champion = before.manifest.progress["champion_checkpoint"]
    stays = {str(champion), list_checkpoints(copy)[-1].path, "checkpoints/permanent/kept.ckpt"}
    _, out, _ = ludus(capsys, "runs", "clean", copy, "--dry-run")
    assert "quarantine" in out
    assert (copy / "quarantine" / "commit3" / "a").exists()
    waste = json.loads(ludus(capsys, "runs", "clean", copy, "--dry-run", "--json")[1])["waste"]
    assert {one["part"] for one in waste} >= {"quarantine", "reports"}
    assert ludus(capsys, "runs", "clean", copy)[0] == 2
    code, out, _ = ludus(capsys, "runs", "clean", copy, "--yes")
    assert code == 0
    assert "are free" in out
    assert not list((copy / "quarantine").iterdir())
    assert [p.name for p in (copy / "reports").iterdir() if p.is_dir()] == [
        "20260112T000000Z-000001"
    ]
    assert {entry.path for entry in list_checkpoints(copy)} == stays
    with Run.open(copy, write=True) as run:
        assert run.manifest.sequence == before.manifest.sequence
        assert not run.notices
    assert "nothing to clean" in ludus(capsys, "runs", "clean", copy, "--yes")[1]


def test_rotation_keeps_a_fifth_of_the_disk(tmp_path):
    """500 checkpoints of 500 MB by the policy that saves use; holes stand for the megabytes."""
    from ludus.runs.retention import CheckpointEntry, Milestones, apply_retention

    policy, size, freed = Milestones(every=5, cache=4), 500_000_000, 0
    entries: list[CheckpointEntry] = []
    for unit in range(1, 501):
        where = "permanent" if policy.place(unit) else "cache"
        entry = CheckpointEntry(f"{where}-{unit}", where, size, unit, unit)
        (tmp_path / entry.path).touch()
        entries.append(entry)
        gone = apply_retention(tmp_path, entries, policy)
        assert not any(removal.error for removal in gone)
        freed += sum(removal.size for removal in gone)
        entries = [one for one in entries if (tmp_path / one.path).exists()]
    assert [one.where for one in entries].count("permanent") == 100
    assert [one.unit for one in entries if one.where == "cache"] == [496, 497, 498, 499]
    assert sum(one.size for one in entries) == 52_000_000_000
    assert freed == 198_000_000_000
