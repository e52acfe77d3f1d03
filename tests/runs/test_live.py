"""What goes on while a run lives: status, control, counters, cadence, ETA, listing."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
import time
from pathlib import Path

import numpy as np
import pytest
from tests.runs.helpers import commit, new_run

from ludus.errors import CorruptError, RunError
from ludus.runs import (
    CommitCadence,
    Counters,
    Eta,
    Run,
    describe_run,
    duration_text,
    list_runs,
    read_ndjson,
    read_status,
    send_command,
)

# -- status ------------------------------------------------------------------------------------


def test_status_round_trip_and_envelope(run: Run) -> None:
    assert read_status(run.path) is None
    assert run.status.write({"state": "training", "loss": float("nan"), "eta": None})
    assert run.status.write({"state": "training", "phase": "gate"})
    status = read_status(run.path)
    assert status is not None
    assert status["phase"] == "gate"
    assert status["run_id"] == run.id
    assert status["incarnation"] == run.incarnation
    assert status["number"] == 2
    assert status["pid"] == os.getpid()


@pytest.mark.parametrize(
    "data", [b"", b"{", b"\0" * 50, b"[]", b"\xff", b"{" * 9999, b" " * (2 << 20)]
)
def test_unparsable_status_is_unknown(run: Run, data: bytes) -> None:
    (run.path / "status.json").write_bytes(data)
    assert read_status(run.path) is None


def test_status_write_is_fast(run: Run) -> None:
    times = []
    for number in range(200):
        start = time.perf_counter()
        run.status.write({"state": "training", "history": list(range(200)), "number_of": number})
        times.append(time.perf_counter() - start)
    assert sorted(times)[100] < 0.010


def test_status_failure_never_stops_anything(run: Run) -> None:
    os.mkdir(run.path / "status.json")
    assert not run.status.write({"state": "training"})
    assert run.status.failures == 1
    assert not list(run.path.glob(".status*"))


_READERS = """
import sys, threading, time
sys.path.insert(0, sys.argv[2])
from ludus.runs import read_status
bad, reads, stop = [], [0], threading.Event()
def read():
    last = 0
    while not stop.is_set():
        status = read_status(sys.argv[1])
        if status is None or status["number"] < last or len(status["filler"]) != status["size"]:
            bad.append(status)
        else:
            last = status["number"]
        reads[0] += 1
        time.sleep(0.01)
threads = [threading.Thread(target=read) for _ in range(100)]
for thread in threads: thread.start()
print("ready", flush=True)
sys.stdin.readline()
stop.set()
for thread in threads: thread.join()
print(len(bad), reads[0])
"""


def test_100_parallel_readers_see_only_whole_documents(run: Run) -> None:
    def write(number: int) -> None:
        size = number * 37 % 9000
        assert run.status.write({"state": "training", "size": size, "filler": "x" * size})

    write(0)
    readers = subprocess.Popen(
        [sys.executable, "-c", _READERS, run.path, Path(__file__).parents[2] / "src"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert readers.stdout is not None
    assert readers.stdout.readline() == "ready\n"
    end = time.monotonic() + 1.5
    number = 0
    while time.monotonic() < end:
        number += 1
        write(number)
    out, _ = readers.communicate("stop\n")
    bad, reads = map(int, out.split())
    assert bad == 0
    assert reads > 100


# -- control -----------------------------------------------------------------------------------


def test_commands_are_obeyed_in_order_and_once(run: Run) -> None:
    send_command(run.path, "set", key="search.simulations", value="64")
    send_command(run.path, "pause", at="iteration")
    send_command(run.path, "stop")
    commands = run.control.poll()
    assert [command.name for command in commands] == ["set", "pause", "stop"]
    assert commands[0].args == {"key": "search.simulations", "value": "64"}
    assert commands[1].args == {"at": "iteration"}
    assert run.control.poll() == []
    assert len(list((run.path / "control").iterdir())) == 3
    for command in commands:
        run.control.done(command)
    assert list((run.path / "control").iterdir()) == []
    send_command(run.path, "save")
    assert [command.name for command in run.control.poll()] == ["save"]


def test_order_is_that_of_the_names(run: Run) -> None:
    for name, command in [("00000000000000000003-a", "stop"), ("00000000000000000001-b", "pause")]:
        (run.path / f"control/{name}.json").write_text(json.dumps({"command": command}))
    assert [command.name for command in run.control.poll()] == ["pause", "stop"]


@pytest.mark.parametrize("where", ["control.signal", "control/control.signal"])
def test_hand_written_signals(run: Run, where: str) -> None:
    path = run.path / where
    path.write_text("pause\nSET train.rate = 0.5=x\n\n  Continue \nSTOP\nSAVE\n")
    commands = run.control.poll()
    assert [command.name for command in commands] == ["pause", "set", "resume", "stop", "save"]
    assert commands[1].args == {"key": "train.rate", "value": "0.5=x"}
    assert not path.exists()
    assert run.control.poll() == []
    for command in commands:
        run.control.done(command)


def test_a_signal_being_written_is_left_alone(run: Run) -> None:
    path = run.path / "control.signal"
    path.write_text("PAU")
    assert run.control.poll() == []
    assert path.exists()
    path.write_text("PAUSE")  # printf writes no newline: whole after a moment
    assert run.control.poll() == []
    os.utime(path, (time.time() - 1, time.time() - 1))
    assert [command.name for command in run.control.poll()] == ["pause"]
    path.write_text("")
    os.utime(path, (time.time() - 1, time.time() - 1))
    assert run.control.poll() == []


@pytest.mark.parametrize("line", ["JUMP", "SET", "SET x", "SET =1", "PAUSE now", "\x00", "{}"])
def test_bad_signals_are_refused_and_told(run: Run, line: str) -> None:
    (run.path / "control.signal").write_text(line + "\n")
    assert run.control.poll() == []
    assert not (run.path / "control.signal").exists()
    assert "command_refused" in (run.path / "logs/events.ndjson").read_text()


def test_hostile_command_files_are_removed(run: Run, tmp_path: Path) -> None:
    control = run.path / "control"
    bad = [b"", b"\x80\x04", b"[]", b'{"command": 1}', b'{"command": "set", "args": {}}']
    bad += [b'{"command": "fly"}', b'{"command": "pause", "args": []}', b"x" * 70_000]
    for number, data in enumerate(bad):
        (control / f"{number:020d}-x.json").write_bytes(data)
    os.mkfifo(control / f"{90:020d}-x.json")
    outside = tmp_path / "outside"
    outside.write_text('{"command": "stop"}')
    (control / f"{91:020d}-x.json").symlink_to(outside)
    (control / "notes.txt").write_text("mine")
    send_command(run.path, "pause")
    assert [command.name for command in run.control.poll()] == ["pause"]
    assert outside.exists()
    left = sorted(path.name for path in control.iterdir())
    assert len(left) == 2
    assert left[1] == "notes.txt"


def test_unknown_commands_cannot_be_sent(run: Run, tmp_path: Path) -> None:
    with pytest.raises(RunError, match="is no command"):
        send_command(run.path, "fly")
    with pytest.raises(RunError, match="key=value"):
        send_command(run.path, "set")
    with pytest.raises(RunError, match="not a run directory"):
        send_command(tmp_path, "pause")
    assert list((run.path / "control").iterdir()) == []


def test_taking_the_run_clears_stale_commands(run: Run) -> None:
    run.close()
    send_command(run.path, "stop")
    (run.path / "control.signal").write_text("PAUSE\n")
    with Run.open(run.path, write=True) as again:
        assert again.notices == ["cleared 2 stale command(s): stop, control.signal"]
        assert again.control.poll() == []


def test_no_command_of_many_senders_is_lost(run: Run) -> None:
    def send(sender: int) -> None:
        for number in range(25):
            send_command(run.path, "set", key=f"k{sender}", value=number)

    senders = [threading.Thread(target=send, args=(sender,)) for sender in range(4)]
    for sender in senders:
        sender.start()
    got = []
    while any(sender.is_alive() for sender in senders):
        got += run.control.poll()
    got += run.control.poll()
    for sender in senders:
        sender.join()
    for sender in range(4):
        values = [c.args["value"] for c in got if c.args["key"] == f"k{sender}"]
        assert sorted(values) == list(range(25))


# -- counters ----------------------------------------------------------------------------------


def test_counters_only_grow() -> None:
    counters = Counters()
    assert counters["games"] == 0
    assert counters.add("games") == 1
    assert counters.add("games", 41) == 42
    assert counters.add("games", 0) == 42
    with pytest.raises(ValueError, match="never go down"):
        counters.add("games", -1)
    for wrong in (1.5, True, "1", None):
        with pytest.raises(TypeError):
            counters.add("games", wrong)  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="no name for a counter"):
        counters.add("Games")
    assert counters["games"] == 42
    assert Counters.from_dict(counters.as_dict()).as_dict() == {"games": 42}
    for damaged in ({"games": -1}, {"games": 1.0}, {"games": True}, {"G": 1}):
        with pytest.raises(CorruptError):
            Counters.from_dict(damaged)


def test_counters_of_many_threads() -> None:
    counters = Counters()
    threads = [
        threading.Thread(target=lambda: [counters.add("plies") for _ in range(2000)])
        for _ in range(8)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert counters["plies"] == 16_000


# -- time --------------------------------------------------------------------------------------


class Clock:
    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


def test_eta_counts_only_the_work_of_this_process() -> None:
    clock = Clock()
    eta = Eta(1000, done=900, elapsed_seconds=3600, clock=clock)
    assert eta.remaining_seconds is None
    assert eta.text() == "unknown"
    for number in range(1, 11):
        clock.now += 1
        eta.update(900 + number)
    assert eta.rate == pytest.approx(1.0)
    assert eta.remaining_seconds == pytest.approx(90)
    assert eta.elapsed_seconds == pytest.approx(3610)
    clock.now += 1e6
    eta.skip()  # a pause
    clock.now += 1
    eta.update(911)
    assert eta.rate == pytest.approx(1.0)
    eta.update(1000)
    assert eta.remaining_seconds == 0


def test_eta_follows_a_change_of_speed_and_survives_clocks() -> None:
    clock = Clock()
    eta = Eta(1e6, half_life_seconds=10, clock=clock)
    done = 0.0
    for speed in [1.0] * 100 + [5.0] * 100:
        clock.now += 1
        done += speed
        eta.update(done)
    assert eta.rate == pytest.approx(5.0, rel=0.01)
    clock.now -= 500
    eta.update(done)
    assert eta.elapsed_seconds >= 0
    assert eta.rate is not None
    assert Eta(None, clock=clock).remaining_seconds is None


def test_durations_for_people() -> None:
    texts = {None: "unknown", 3.4: "3 s", 200: "3 min 20 s", 18720: "5 h 12 min"}
    texts |= {187200: "2 d 4 h", float("inf"): "unknown", -5: "0 s"}
    for seconds, text in texts.items():
        assert duration_text(seconds) == text


def test_commit_cadence_stretches_to_one_percent() -> None:
    clock = Clock()
    cadence = CommitCadence(60, clock=clock)
    clock.now += 59
    assert not cadence.due()
    clock.now += 1
    assert cadence.due()
    cadence.committed(0.1)
    assert not cadence.due()
    clock.now += 60
    assert cadence.due()
    cadence.committed(3.0)
    clock.now += 299
    assert not cadence.due()
    clock.now += 1
    assert cadence.due()


# -- listing -----------------------------------------------------------------------------------


def test_listing(tmp_path: Path) -> None:
    assert list_runs(tmp_path / "absent") == []
    with new_run(tmp_path / "runs" / "b") as run:
        commit(run, 0)
        run.status.write({"state": "training"})
        (tmp_path / "runs" / "junk").mkdir()
        (tmp_path / "runs" / "file").write_text("x")
        new_run(tmp_path / "runs" / "a").close()
        first, second = list_runs(tmp_path / "runs")
        assert (first.path.name, second.path.name) == ("a", "b")
        assert first.state == "unknown"
        assert second.state == "training"
        assert second.counters == {"games": 10}
        assert second.sequence == 2
        assert second.holder is not None
        assert second.holder.pid == os.getpid()
    assert describe_run(run.path).state == "dead"
    for manifest in (run.path / "manifests").iterdir():
        manifest.write_bytes(b"{")
    assert describe_run(run.path).error is not None
    with pytest.raises(RunError):
        describe_run(tmp_path)


def test_commit_of_a_few_megabytes_costs_little(run: Run) -> None:
    times = []
    for number in range(20):
        arrays = {"w": np.full(1_000_000, number, np.float32)}
        start = time.process_time()  # other processes and the disk are not ours to judge here
        run.commit({"number": number}, {"learner": run.put_object("learner", arrays, {})})
        times.append(time.process_time() - start)
    assert sorted(times)[10] < 0.050


def test_a_file_that_is_no_command_by_its_name_is_told_of_once(run: Run) -> None:
    path = run.path / "control" / "pause.json"
    path.write_text('{"command": "pause"}')
    assert run.control.poll() == [] and run.control.poll() == []
    told = [
        record["message"]
        for record in read_ndjson(run.path / "logs/events.ndjson")[0]
        if record["event"] == "command_refused"
    ]
    assert len(told) == 1 and "pause.json is no command: names are 20 digits" in told[0]
    assert path.exists(), "somebody else's file is left alone"
    path.unlink()
    assert run.control.poll() == []
    path.write_text("{}")
    run.control.poll()
    assert (run.path / "logs/events.ndjson").read_text().count("command_refused") == 2
