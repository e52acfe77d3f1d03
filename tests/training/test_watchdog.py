"""The real trainer, stopped and killed: replaced, told, counted; and nothing of it is left."""

import json
import os
import signal
import sys
import time

import pytest
from tests.testing.processes import of_session
from tests.training.test_kill_resume import arguments, newest
from tests.training.tiny import command, environment

from ludus.runs import Run, lock_holder, read_ndjson, read_status

MORE = ("--set", "guards.watchdog_seconds=5", "--set", "alerts.every_seconds=0.5")


def start(path, *more):
    import subprocess

    return subprocess.Popen(
        command(*arguments(path, 1), *MORE, *more),
        env=environment(),
        stderr=subprocess.PIPE,
        start_new_session=True,
    )


def trainer_of(path, process, commits, other_than=None):
    end = time.monotonic() + 60
    while process.poll() is None and time.monotonic() < end:
        holder = lock_holder(path) if newest(path) >= commits else None
        if holder is not None and holder.pid not in (0, other_than):
            return holder.pid
        time.sleep(0.02)
    raise AssertionError(process.communicate())


@pytest.mark.slow
def test_a_stopped_and_a_killed_trainer_are_told_in_the_run(tmp_path):
    """O-105 to O-107, O-114 to O-117, G-39."""
    path, got = tmp_path / "run", tmp_path / "got"
    keep = f"import sys; open({str(got)!r}, 'a').write(sys.stdin.read())"
    out = f"alerts.command={json.dumps([sys.executable, '-c', keep])}"
    process = start(path, "--iterations", "12", "--set", out)
    first = trainer_of(path, process, 2)
    os.kill(first, signal.SIGSTOP)
    second = trainer_of(path, process, 2, other_than=first)
    time.sleep(1.0)
    os.kill(second, signal.SIGKILL)
    _, said = process.communicate(timeout=200)
    assert process.returncode == 0, said.decode()
    assert b"made no progress for 5 s; restarting" in said
    events, _ = read_ndjson(path / "logs" / "events.ndjson")
    restarted = [one for one in events if one["event"] == "restarted"]
    assert [(one["cause"], one["number"]) for one in restarted] == [("hang", 1), ("crash", 2)]
    assert restarted[0]["reason"] == "the trainer made no progress for 5 s"
    assert 4.5 < restarted[0]["lost_seconds"] < 30
    assert "SIGKILL" in restarted[1]["reason"]
    status = read_status(path)
    assert (status["restarts"], status["figures"]["restarts"]) == (2, 2)
    assert Run.open(path, write=False).counters["restarts"] == 2
    told = [json.loads(line)["name"] for line in got.read_text().splitlines()]
    assert [name for name in told if name.startswith("trainer")] == [
        "trainer_hung",
        "trainer_crashed",
    ]
    assert of_session(process.pid) == []


@pytest.mark.slow
@pytest.mark.parametrize(
    "numbers", [[signal.SIGINT], [signal.SIGINT, signal.SIGINT], [signal.SIGTERM], [signal.SIGKILL]]
)
def test_no_process_of_a_real_run_is_left(tmp_path, numbers):
    """B-91, B-92, B-102, with lanes at work."""
    path = tmp_path / "run"
    process = start(path, "--iterations", "50")
    trainer_of(path, process, 2)
    for number in numbers:
        os.kill(process.pid, number)
        time.sleep(0.05)
    process.communicate(timeout=60)
    end = time.monotonic() + 10
    while of_session(process.pid) and time.monotonic() < end:
        time.sleep(0.02)
    assert of_session(process.pid) == []
    assert lock_holder(path) is None
