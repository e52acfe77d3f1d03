"""Full disks and failed saves: the run holds, or says so, and never dies of them."""

import contextlib
import ctypes
import errno
import os
import threading
import time
from dataclasses import replace
from pathlib import Path

import pytest
from tests.training.guarding import events, guard
from tests.training.tiny import digests, train

from ludus.runs import (
    DurabilityError,
    Run,
    SaveError,
    Space,
    disk_is_full,
    has_room,
    list_checkpoints,
    read_status,
    send_command,
)
from ludus.training.changing import save_policy

SETTINGS = ("evaluation.every=0", "gating.max_pairs=8")


@pytest.fixture
def quick(monkeypatch):
    """Guards look after every unit, retries do not wait."""
    monkeypatch.setattr("ludus.training.guards.disk._SECONDS", 0.0)
    monkeypatch.setattr("ludus.training.guards.disk._PROBE_SECONDS", 0.05)
    for place in ("birth", "changing"):
        monkeypatch.setattr(f"ludus.training.{place}.save_policy", hasty)


def hasty(settings):
    return replace(save_policy(settings), retry_seconds=0.05)


def full() -> SaveError:
    try:
        try:
            raise OSError(errno.ENOSPC, "No space left on device")
        except OSError as error:
            raise SaveError("could not write state/x: No space left on device") from error
    except SaveError as error:
        return error


def test_a_full_disk_is_told_from_other_failures(tmp_path):
    assert disk_is_full(full())
    assert not disk_is_full(SaveError("refused"))
    assert not disk_is_full(OSError(errno.EIO, "broken"))
    assert has_room(tmp_path)
    assert list(tmp_path.iterdir()) == [], "the probe is gone"
    assert not has_room(Path("/proc/self"))


def test_a_full_disk_pauses_until_there_is_space(tmp_path, monkeypatch, quick):
    asked = []

    def space(self):
        asked.append(1)
        return Space("floor" if 3 < len(asked) < 9 else "ok", 10**6)

    monkeypatch.setattr(Run, "space", space)
    path = tmp_path / "run"
    assert train(path, *SETTINGS, iterations=1).state == "done"
    assert len(events(path, "guard_paused")) == 1
    assert len(events(path, "guard_resumed")) == 1
    assert [event["guard"] for event in events(path, "guard_warned")] == ["disk"]


def test_little_space_is_told_before_saving(tmp_path, monkeypatch):
    monkeypatch.setattr(Run, "space", lambda self: Space("warn", 1_500_000_000))
    path, notes = tmp_path / "run", []
    assert train(path, *SETTINGS, iterations=1, notes=notes).state == "done"
    text = "only 1500 MB of disk are free: saving may fail"
    assert text in notes
    assert [event["message"] for event in events(path, "guard_warned")] == [text]
    assert guard(read_status(path), "disk")["state"] == "warning"


def refuse(monkeypatch, when, error=full):
    """Commits fail while `when(number)` says so; `number` counts the attempts."""
    real, calls = Run.commit, [0]

    def commit(self, *args, **options):
        calls[0] += 1
        if when(calls[0]):
            raise error()
        return real(self, *args, **options)

    monkeypatch.setattr(Run, "commit", commit)
    return calls


def test_a_commit_that_finds_no_room_holds_the_run_and_is_made_later(tmp_path, monkeypatch, quick):
    assert train(tmp_path / "calm", *SETTINGS, iterations=1).state == "done"
    path, notes = tmp_path / "run", []
    refuse(monkeypatch, lambda number: number in (2, 3))
    assert train(path, *SETTINGS, iterations=1, notes=notes).state == "done"
    (paused,) = events(path, "guard_paused")
    assert paused["guard"] == "disk"
    assert "the disk is full: could not write" in paused["reason"]
    assert [event["attempt"] for event in events(path, "save_failed")] == [1, 2]
    assert digests(path) == digests(tmp_path / "calm"), "no work was lost"
    assert not events(path, "phase_rebuilt")


def test_a_stop_does_not_wait_for_a_full_disk(tmp_path, monkeypatch, quick):
    path = tmp_path / "run"
    refuse(monkeypatch, lambda number: number > 1)

    def act(loop, unit):
        if unit == 3:
            send_command(path, "stop")

    with pytest.raises(SaveError, match="No space left"):
        train(path, *SETTINGS, act=act, iterations=1)
    assert Run.open(path, write=False).manifest.sequence == 2


def test_three_saves_that_fail_in_a_row_are_an_error_to_see(tmp_path, monkeypatch, quick):
    path, notes, states = tmp_path / "run", [], []
    refuse(monkeypatch, lambda number: 2 <= number <= 7, lambda: SaveError("the disk says no"))

    def act(loop, unit):
        (saves,) = [g.state() for g in loop._guards if g.name == "saves"]
        states.append((saves.state, loop._session.run.saves.in_a_row))

    settings = (*SETTINGS, "runtime.unit_seconds=0.01")
    ending = train(path, *settings, commit_always=True, act=act, iterations=1, notes=notes)
    assert ending.state == "done"
    assert ("warning", 1) in states and ("acting", 3) in states
    (warned,) = events(path, "guard_warned")
    assert (warned["guard"], warned["severity"]) == ("saves", "error")
    assert "3 saves in a row have failed" in warned["message"]
    status = read_status(path)
    assert (guard(status, "saves")["state"], guard(status, "saves")["count"]) == ("ok", 6)
    assert status["figures"]["save_failures"] == 6
    totals = Run.open(path, write=False).manifest.progress["guards"]["totals"]
    assert totals == {"save": 6}, "counted in the summary of errors"
    assert status["guards"][2]["text"].startswith("in the last 10000 games: 6 save")


def test_an_eio_of_fsync_is_never_held_or_tried_again(tmp_path, monkeypatch, quick):
    calls = refuse(monkeypatch, lambda number: number == 2, lambda: DurabilityError("EIO"))
    with pytest.raises(DurabilityError):
        train(tmp_path / "run", *SETTINGS, iterations=1)
    assert calls == [2]


def test_a_save_by_command_that_fails_is_refused_and_training_goes_on(tmp_path, monkeypatch, quick):
    path = tmp_path / "run"

    def no(self, *args, **options):
        raise SaveError("could not write checkpoints/permanent: Permission denied")

    monkeypatch.setattr(Run, "save_checkpoint", no)

    def act(loop, unit):
        if unit == 2:
            send_command(path, "save")

    settings = (*SETTINGS, "gating.h0=0.9", "gating.h1=0.95", "gating.undecided_win_rate=1")
    assert train(path, *settings, act=act, iterations=1).state == "done"
    (refused,) = events(path, "command_refused")
    assert refused["message"] == "could not write checkpoints/permanent: Permission denied"


def test_every_save_load_and_removal_is_an_event(tmp_path):
    path = tmp_path / "run"

    def act(loop, unit):
        if unit == 2:
            send_command(path, "save")

    assert train(path, "run.keep_checkpoints=1", act=act, pause_at="iteration").state == "paused"
    assert train(path, iterations=2).state == "done"
    saved = events(path, "checkpoint_saved")
    assert {event["kind"] for event in saved} >= {"permanent"}
    loaded = events(path, "checkpoint_loaded")
    assert [event["kind"] for event in loaded] == ["commit"]
    for event in (*saved, *loaded):
        assert event["path"] and event["bytes"] > 0 and event["seconds"] >= 0
    commits = events(path, "commit")
    assert all(event["bytes"] > 0 for event in commits[1:])
    assert len(list_checkpoints(path)) <= len(saved)


def test_removed_checkpoints_are_told_with_their_size(tmp_path):
    from ludus.runs import KeepLast, SchemaIds

    run = Run.create(
        tmp_path / "run",
        recipe="r",
        asked=b"",
        resolved={},
        seed=1,
        schema=SchemaIds("f", "a", "r"),
    )
    with run:
        for unit in (1, 2):
            run.save_checkpoint({}, {}, unit=unit, policy=KeepLast(1), parameters=1000)
    (removed,) = events(tmp_path / "run", "checkpoint_removed")
    assert removed["kind"] == "cache" and removed["bytes"] > 0 and removed["seconds"] >= 0
    assert removed["path"].endswith("iter001.ckpt")


# -- a real disk ---------------------------------------------------------------------------------


@pytest.fixture
def small_disk(tmp_path):
    """A file system of 12 MB of its own."""
    if os.geteuid() != 0:
        pytest.skip("needs root to mount a small tmpfs")
    mount = ctypes.CDLL(None, use_errno=True)
    place = tmp_path / "disk"
    place.mkdir()
    if mount.mount(b"ludus", os.fsencode(place), b"tmpfs", 0, b"size=12m") != 0:
        pytest.skip(f"no tmpfs may be mounted here: {os.strerror(ctypes.get_errno())}")
    yield place
    mount.umount2(os.fsencode(place), 2)


@pytest.mark.parametrize("floor", [1, 0], ids=["floor", "refused"])
def test_a_real_disk_that_fills_up_holds_the_run_until_there_is_room(
    small_disk, tmp_path, quick, floor
):
    """Held by the floor of free space, or, without one, by what the disk refuses to write."""
    settings = (*SETTINGS, f"run.floor_free_mb={floor}", "run.warn_free_mb=2")
    assert train(tmp_path / "calm", *settings, iterations=1).state == "done"
    path, filler = small_disk / "run", small_disk / "filler"
    held = threading.Event()

    class Notes(list):
        def append(self, text):
            super().append(text)
            if text.startswith("paused by guard: "):
                held.set()

    def act(loop, unit):
        if unit == 2:  # somebody else's file takes all that is left
            with filler.open("wb", buffering=0) as file, contextlib.suppress(OSError):
                while True:
                    file.write(bytes(4096))

    def free() -> None:
        if held.wait(20):
            time.sleep(0.5)
            filler.unlink()

    thread = threading.Thread(target=free)
    thread.start()
    notes = Notes()
    try:
        ending = train(path, *settings, act=act, commit_always=True, iterations=1, notes=notes)
    finally:
        thread.join()
    assert ending.state == "done"
    said = [note for note in notes if note.startswith("paused by guard: ")]
    assert said[0].split(": ")[1] == ("only 0 MB of disk are free" if floor else "the disk is full")
    assert "going on" in notes
    assert digests(path) == digests(tmp_path / "calm")
