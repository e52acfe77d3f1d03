"""SIGKILL at any moment, then the same command: the same run as if nothing had happened."""

import os
import signal
import subprocess
import time
from pathlib import Path

import pytest
from tests.training.tiny import SETTINGS, command, digests, environment, train

from ludus.runs import Run, lock_holder

LONGER = ("search.budget_by_kind.mark=8", "run.commit_seconds=0.5")


def arguments(path: Path, lanes: int) -> list[str]:
    settings = [word for text in (*SETTINGS, *LONGER) for word in ("--set", text)]
    return [
        *("train", "yatzy", "--run", str(path), "--iterations", "2", *settings),
        *("--set", f"runtime.lanes={lanes}"),
    ]


def newest(path: Path) -> int:
    try:
        return max(int(entry.name[:-5]) for entry in (path / "manifests").glob("??????.json"))
    except ValueError:
        return 0


def start(path: Path, lanes: int) -> subprocess.Popen[bytes]:
    return subprocess.Popen(
        command(*arguments(path, lanes)),
        env=environment(),
        stderr=subprocess.PIPE,
        start_new_session=True,
    )


def kill_and_continue(path: Path, kills: int, lanes: int, wait: float) -> int:
    """Kill the supervisor after a new commit each time; returns how often that was possible."""
    done = 0
    while done < kills:
        before, process = newest(path), start(path, lanes)
        began = time.monotonic()
        while process.poll() is None and (
            newest(path) <= before or time.monotonic() - began < wait
        ):
            time.sleep(0.02)
        if process.poll() is not None:
            process.communicate()
            break
        os.kill(process.pid, signal.SIGKILL)
        process.communicate()
        done += 1
    last = start(path, lanes)
    _, said = last.communicate(timeout=240)
    assert last.returncode == 0, said.decode()
    return done


def undisturbed(path: Path) -> dict[str, str]:
    """In this process, with one lane: another way of driving it must not matter either."""
    assert train(path, *LONGER, "runtime.lanes=1", iterations=2) is not None
    return digests(path)


@pytest.mark.slow
def test_killed_twice_with_two_lanes(tmp_path):
    wanted = undisturbed(tmp_path / "undisturbed")
    path = tmp_path / "killed"
    assert kill_and_continue(path, 2, 2, 0.0) == 2
    assert digests(path) == wanted


@pytest.mark.slow
@pytest.mark.timeout(900)
@pytest.mark.parametrize("lanes", [1, 2])
def test_killed_twenty_times(tmp_path, lanes):
    wanted = undisturbed(tmp_path / "undisturbed")
    path = tmp_path / "killed"
    assert kill_and_continue(path, 20, lanes, 0.0) >= 10
    assert digests(path) == wanted


def test_the_trainer_dies_with_its_supervisor_and_is_restarted_without(tmp_path):
    path = tmp_path / "run"
    process = start(path, 1)
    while process.poll() is None and newest(path) < 2:
        time.sleep(0.02)
    trainer = lock_holder(path)
    assert trainer is not None
    assert trainer.pid != process.pid
    # The trainer alone: the supervisor starts another, which goes on from the last commit.
    os.kill(trainer.pid, signal.SIGKILL)
    end = time.monotonic() + 60
    while time.monotonic() < end:
        now = lock_holder(path)
        if now is not None and now.pid not in (0, trainer.pid):
            break
        time.sleep(0.05)
    assert now is not None
    assert process.poll() is None
    # The supervisor: its trainer dies with it, and the run is free.
    os.kill(process.pid, signal.SIGKILL)
    _, said = process.communicate()
    assert b"restarting from the last commit (1 of 5)" in said
    end = time.monotonic() + 5
    while lock_holder(path) is not None and time.monotonic() < end:
        time.sleep(0.02)
    assert lock_holder(path) is None
    assert Run.open(path, write=False).manifest.sequence >= 2


def test_ctrl_c_commits_and_stops_within_five_seconds(tmp_path):
    path = tmp_path / "run"
    process = start(path, 2)
    while process.poll() is None and newest(path) < 3:
        time.sleep(0.02)
    before = time.monotonic()
    os.kill(process.pid, signal.SIGINT)
    while b'"state": "idle"' not in (path / "status.json").read_bytes():
        assert time.monotonic() - before < 5
        time.sleep(0.02)
    _, said = process.communicate(timeout=60)  # a report comes after the training
    assert process.returncode == 0, said.decode()
    assert b"go on:" in said


def test_a_second_ctrl_c_ends_at_once(tmp_path):
    path = tmp_path / "run"
    process = start(path, 1)
    while process.poll() is None and newest(path) < 2:
        time.sleep(0.02)
    os.kill(process.pid, signal.SIGINT)
    os.kill(process.pid, signal.SIGSTOP)  # so that both signals are there when it looks
    os.kill(process.pid, signal.SIGINT)
    os.kill(process.pid, signal.SIGCONT)
    os.kill(process.pid, signal.SIGINT)
    process.communicate(timeout=30)
    assert process.returncode in (0, 130)  # 0 only if the commit was quicker than the signal
