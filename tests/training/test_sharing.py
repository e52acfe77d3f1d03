"""Several runs on one machine divide its cores, and nothing comes out differently for it."""

import os
import signal
import subprocess
import sys
import time

import pytest
from tests.training.tiny import digests, environment, train

from ludus.evaluators import core_count
from ludus.runs import read_ndjson
from ludus.training import loop as loop_module
from ludus.training import sharing
from ludus.training.sharing import FOLDER, Share, cache_folder


@pytest.fixture
def folder(tmp_path):
    return tmp_path / "sharing"


@pytest.fixture
def cache(tmp_path, monkeypatch):
    """A cache folder of this test alone."""
    monkeypatch.setenv("LUDUS_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache" / FOLDER


HOLD = """
import sys, time
from pathlib import Path
from ludus.training.sharing import Share
share = Share(Path(sys.argv[1]), cores=8)
sys.stdout.write("there\\n")
sys.stdout.flush()
time.sleep(60)
"""


def other_process(folder):
    """Another trainer, which has announced itself."""
    child = subprocess.Popen(
        [sys.executable, "-c", HOLD, str(folder)],
        env=environment(),
        stdout=subprocess.PIPE,
        text=True,
    )
    assert child.stdout is not None
    assert child.stdout.readline() == "there\n"
    return child


def old(path):
    """Age a file, so that it is not one that is just being made."""
    then = time.time() - 60
    os.utime(path, (then, then))


def test_trainers_divide_the_cores(folder):
    first = Share(folder, cores=8)
    assert first.lanes() == 8
    second = Share(folder, cores=8)
    assert (first.lanes(), second.lanes(), first.runs) == (4, 4, 2)
    third = Share(folder, cores=8)
    assert [one.lanes() for one in (first, second, third)] == [2, 2, 2]
    second.close()
    second.close()
    assert first.lanes() == 4
    third.close()
    assert first.lanes() == 8
    first.close()
    assert list(folder.iterdir()) == []


def test_there_is_always_one_lane(folder):
    shares = [Share(folder, cores=2) for _ in range(5)]
    assert [share.lanes() for share in shares] == [1] * 5
    for share in shares:
        share.close()


def test_by_default_the_cores_of_this_process_are_divided(folder):
    share = Share(folder)
    assert share.lanes() == core_count()
    share.close()


def test_one_that_was_killed_does_not_count(folder):
    mine = Share(folder, cores=8)
    child = other_process(folder)
    try:
        assert mine.lanes() == 4
        left = [path for path in folder.iterdir() if path.name.startswith(f"{child.pid}-")]
        assert len(left) == 1
        child.kill()
        assert child.wait() == -signal.SIGKILL
        assert mine.lanes() == 8
        assert left[0].exists()  # a file that is new may be one that is being made
        old(left[0])
        assert mine.lanes() == 8
        assert not left[0].exists()
    finally:
        child.kill()
        child.communicate()
        mine.close()


def test_what_is_left_behind_goes_and_what_is_not_ours_stays(folder):
    folder.mkdir()
    left, note = folder / "1234-abcd.lock", folder / "notes.txt"
    for path in (left, note):
        path.touch()
        old(path)
    (folder / "planted.lock").mkdir()
    outside = folder.parent / "outside"
    outside.touch()
    old(outside)
    (folder / "link.lock").symlink_to(outside)
    share = Share(folder, cores=8)
    assert share.lanes() == 8
    assert not left.exists()
    assert note.exists()
    assert outside.exists()
    share.close()


def test_two_that_look_at_once_do_not_take_each_other_for_trainers(folder):
    """Looking takes a shared lock: held by one who looks, a dead file still counts as dead."""
    import fcntl

    folder.mkdir()
    dead = folder / "1-a.lock"
    dead.touch()
    descriptor = os.open(dead, os.O_RDWR)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_SH)
        assert not sharing._is_held(dead)
    finally:
        os.close(descriptor)


def test_a_child_that_a_library_forked_does_not_hold_the_announcement(folder):
    mine = Share(folder, cores=8)
    theirs = Share(folder, cores=8)
    read, write = os.pipe()
    ready, there = os.pipe()
    pid = os.fork()
    if pid == 0:  # the child: waits until told, without running anything of the test
        os.close(write)
        os.write(there, b"!")
        os.read(read, 1)
        os._exit(0)
    os.close(read)
    os.read(ready, 1)  # what a fork lets go of, it lets go of a moment after it
    try:
        # As when the parent is killed: only its descriptor goes, not the file.
        os.close(theirs._descriptor)
        theirs._descriptor = None
        assert mine.lanes() == 8
    finally:
        os.close(write)
        os.close(ready)
        os.close(there)
        os.waitpid(pid, 0)
        mine.close()


def test_where_the_folder_cannot_be_used_one_counts_itself_alone(tmp_path):
    (tmp_path / "file").touch()
    share = Share(tmp_path / "file" / "sharing", cores=8)
    assert share.lanes() == 8
    share.close()


def test_the_folder_of_the_cache(monkeypatch, tmp_path):
    monkeypatch.setenv("LUDUS_CACHE", str(tmp_path))
    assert cache_folder() == tmp_path
    monkeypatch.delenv("LUDUS_CACHE")
    assert cache_folder().parts[-2:] == (".cache", "ludus")


def test_a_run_takes_its_share_at_each_phase_and_says_so(tmp_path, cache, monkeypatch):
    monkeypatch.setattr(sharing, "core_count", lambda: 4)
    path, lanes, others, notes = tmp_path / "run", [], [], []

    def act(loop, unit):
        session = loop._session
        lanes.append((session.iteration, session.phase, session.lanes))
        if session.iteration == 0 and session.phase == "train" and not others:
            others.append(Share())
        if session.iteration == 1 and session.phase == "train" and others:
            others.pop().close()

    train(path, "evaluation.every=0", act=act, notes=notes, iterations=2)
    by_phase = dict.fromkeys(lanes)
    assert [one for one in by_phase if one[1] in ("selfplay", "gate")] == [
        (0, "selfplay", 4),
        (0, "gate", 2),
        (1, "selfplay", 2),
        (1, "gate", 4),
    ]
    told = [r for r in read_ndjson(path / "logs/events.ndjson")[0] if r["event"] == "sharing"]
    assert [(r["runs"], r["lanes"], r["cores"]) for r in told] == [(2, 2, 4), (1, 4, 4)]
    assert "2 lane(s) from now on: on this machine with 1 other run(s)" in notes
    assert "4 lane(s) from now on: on this machine alone" in notes
    assert list(cache.iterdir()) == []  # the run announces itself no longer


def test_a_number_of_lanes_that_was_asked_for_is_not_divided(tmp_path, cache):
    path, lanes = tmp_path / "run", set()
    other = Share()

    def act(loop, unit):
        lanes.add(loop._session.lanes)

    train(path, "runtime.lanes=3", act=act, games=10)
    other.close()
    assert lanes == {3}


def test_results_do_not_depend_on_the_share(tmp_path, cache, monkeypatch):
    whole, shared = tmp_path / "whole", tmp_path / "shared"
    train(whole, "runtime.lanes=1", "evaluation.every=0", iterations=1)

    class Changing(Share):
        """Another run comes and goes at every phase."""

        def lanes(self):
            Changing.count = getattr(Changing, "count", 0) + 1
            self.runs = Changing.count % 3 + 1
            return Changing.count % 3 + 1

    monkeypatch.setattr(loop_module, "Share", Changing)
    seen = set()

    def act(loop, unit):
        seen.add(loop._session.lanes)

    train(shared, "evaluation.every=0", act=act, iterations=1)
    assert len(seen) > 1
    assert digests(shared) == digests(whole)
