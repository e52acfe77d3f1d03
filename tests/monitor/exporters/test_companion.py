"""The companion of a training: whatever becomes of it, training and its end never wait for it."""

import contextlib
import http.client
import json
import os
import re
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
import pytest
from tests.monitor.exporters.test_prometheus import parse, value
from tests.training import tiny

from ludus.monitor.exporters.base import scalars
from ludus.monitor.exporters.companion import Companion, CompanionRequest, companion, wanted
from ludus.runs import read_ndjson, read_status

HANGING_WANDB = """
import time
class errors:
    class UsageError(Exception): pass
class Settings:
    def __init__(self, **settings): pass
def init(**options):
    open({mark!r}, "w").close()
    while True:
        time.sleep(3600)
"""
BLOCKED_BRAINTRUST = """
import socket
class Experiment:
    def __init__(self):
        self.socket = socket.create_connection(("127.0.0.1", {port}))
    def log(self, **event):
        self.socket.sendall(b"x" * 100_000)
        self.socket.recv(1)
    def flush(self): pass
def init(**options):
    return Experiment()
"""
FLAKY_WANDB = """
class errors:
    class UsageError(Exception): pass
class Settings:
    def __init__(self, **settings): pass
class Run:
    failed = False
    def define_metric(self, *names, **options): pass
    def log(self, row):
        if not self.failed:
            self.failed = True
            raise ConnectionError("no route")
        with open({mark!r}, "a") as file:
            file.write(repr(sorted(row)) + chr(10))
    def finish(self): pass
def init(**options):
    return Run()
def teardown(): pass
"""
CRASHING_WANDB = "import os\nos.abort()\n"


def until(condition: Callable[[], object], seconds: float = 15.0) -> None:
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "it never happened"
        time.sleep(0.05)


@pytest.fixture
def silence() -> Iterator[int]:
    """A port that accepts connections and never reads."""
    with socket.socket() as server:
        server.bind(("127.0.0.1", 0))
        server.listen(8)
        held: list[socket.socket] = []

        def accept() -> None:
            with contextlib.suppress(OSError):
                while True:
                    held.append(server.accept()[0])

        threading.Thread(target=accept, daemon=True).start()
        yield server.getsockname()[1]
        server.shutdown(socket.SHUT_RDWR)
        for one in held:
            one.close()


@pytest.fixture
def libraries(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """Libraries that stand before the real ones, for processes that are started."""
    folder = tmp_path / "libraries"
    folder.mkdir()
    monkeypatch.setenv("PYTHONPATH", f"{folder}{os.pathsep}{os.environ['PYTHONPATH']}")
    monkeypatch.setenv("BRAINTRUST_API_KEY", "none")

    def write(**texts: str) -> None:
        for name, text in texts.items():
            (folder / f"{name}.py").write_text(text)

    return write


def metrics_url(notes: list[str]) -> int:
    until(lambda: any("metrics at" in note for note in notes))
    (note,) = [note for note in notes if "metrics at" in note]
    found = re.search(r"http://127\.0\.0\.1:(\d+)/metrics", note)
    assert found is not None
    return int(found.group(1))


def scrape(port: int) -> dict:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
    try:
        connection.request("GET", "/metrics")
        return parse(connection.getresponse().read().decode())
    finally:
        connection.close()


def test_it_serves_feeds_and_ends(run: Path) -> None:
    pytest.importorskip("tensorboard")
    notes: list[str] = []
    one = Companion(CompanionRequest(str(run), ("tensorboard",), 0, 0.2), notes.append)
    one.start()
    port = metrics_url(notes)
    assert value(scrape(port), "ludus_games_total") == 72
    cursor = run / "reports" / "tensorboard" / "ludus-cursor.json"
    until(cursor.exists)
    child = psutil.Process(one._child.pid)
    assert child.nice() == 19
    with open(run / "logs" / "metrics.ndjson", "ab") as file:
        file.write(b'{"event": "late", "ts_ms": 1, "step": 3, "x": 1}\n')
    begin = time.monotonic()
    one.stop()
    assert time.monotonic() - begin < 8
    assert json.loads(cursor.read_text())["steps"]["late"] == 3, "the end must be flushed"
    assert not child.is_running()
    assert one.starts == 1
    assert len(notes) == 1


def test_it_waits_for_a_run_that_is_not_there_yet(tmp_path: Path) -> None:
    notes: list[str] = []
    one = Companion(CompanionRequest(str(tmp_path / "later"), ("tensorboard",), 0), notes.append)
    one.start()
    assert scrape(metrics_url(notes)) == {}
    begin = time.monotonic()
    one.stop()
    assert time.monotonic() - begin < 8
    assert not (tmp_path / "later").exists(), "a run directory is its trainer's to make"


def test_sinks_that_hang_hold_up_nobody(
    run: Path, libraries: Callable, silence: int, tmp_path: Path
) -> None:
    """One sleeps for ever, one waits for a server that never reads: /metrics and the end go on."""
    mark = tmp_path / "hangs"
    libraries(
        wandb=HANGING_WANDB.format(mark=str(mark)),
        braintrust=BLOCKED_BRAINTRUST.format(port=silence),
    )
    notes: list[str] = []
    request = CompanionRequest(str(run), ("wandb", "braintrust"), 0, 0.2)
    one = Companion(request, notes.append, flush_seconds=1.0)
    one.start()
    port = metrics_url(notes)
    until(mark.exists)
    until((run / "reports" / "braintrust" / ".lock").exists)
    assert value(scrape(port), "ludus_games_total") == 72
    child = psutil.Process(one._child.pid)
    begin = time.monotonic()
    one.stop()
    assert 0.9 < time.monotonic() - begin < 5
    assert not child.is_running()


def test_a_hang_is_a_warning_once(run: Path, libraries: Callable, tmp_path: Path) -> None:
    libraries(wandb=HANGING_WANDB.format(mark=str(tmp_path / "hangs")))
    hasty = (
        "import os, ludus.monitor.exporters.companion_process as c\n"
        "c.HANG_SECONDS = 0.2\n"
        "os._exit(c.main())"
    )
    notes: list[str] = []
    warnings: list[str] = []
    one = Companion(
        CompanionRequest(str(run), ("wandb",), 0, 0.2),
        notes.append,
        warn=warnings.append,
        command=[sys.executable, "-c", hasty],
        flush_seconds=0.1,
    )
    one.start()
    until(lambda: bool(warnings))
    time.sleep(1.5)
    one.stop()
    assert warnings == ["ludus: sink wandb hangs; training goes on"]
    assert len(notes) == 1 and "metrics at" in notes[0]


def test_a_crash_is_told_once_and_it_starts_a_few_times(run: Path, libraries: Callable) -> None:
    libraries(wandb=CRASHING_WANDB)
    notes: list[str] = []
    one = Companion(CompanionRequest(str(run), ("wandb",)), notes.append, first_pause=0.05)
    one.start()
    one._thread.join(30)
    assert not one._thread.is_alive()
    assert one.starts == 4
    assert len(notes) == 2
    assert "ended (signal 6); it is started again, training goes on" in notes[0]
    assert "left alone" in notes[1]
    one.stop()


def test_a_failed_attempt_is_logged_and_tried_again(
    run: Path, libraries: Callable, tmp_path: Path
) -> None:
    rows = tmp_path / "rows"
    libraries(wandb=FLAKY_WANDB.format(mark=str(rows)))
    notes: list[str] = []
    one = Companion(CompanionRequest(str(run), ("wandb",), None, 0.2), notes.append)
    one.start()
    cursor = run / "reports" / "wandb" / "ludus-cursor.json"
    until(cursor.exists)
    one.stop()
    assert notes == []
    (line,) = (cursor.parent / "ludus-sync.log").read_text().splitlines()
    assert line.endswith(
        "attempt 1 of 3 with wandb failed: ConnectionError: no route; trying again in 1.0 s"
    )
    records = [json.loads(text) for text in (run / "logs/metrics.ndjson").read_text().splitlines()]
    assert len(rows.read_text().splitlines()) == 1 + sum(
        any(True for _ in scalars(record)) for record in records
    )


def test_a_missing_library_is_one_note(run: Path, libraries: Callable) -> None:
    libraries(wandb="raise ImportError('no such thing')")
    notes: list[str] = []
    one = Companion(CompanionRequest(str(run), ("wandb",)), notes.append)
    one.start()
    one._thread.join(30)
    assert notes == [
        "ludus: sink wandb: wandb is not installed (no such thing): install it with "
        "./ludus setup wandb"
    ]
    assert one.starts == 1
    one.stop()


def test_a_port_that_is_taken_is_one_note(run: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        notes: list[str] = []
        one = Companion(CompanionRequest(str(run), (), port), notes.append)
        one.start()
        one._thread.join(30)
        (note,) = notes
        assert f"no metrics this time: port {port} of 127.0.0.1 cannot be had" in note
        assert note.endswith("training goes on")
        assert one.starts == 1
        one.stop()


def test_it_dies_with_its_parent(run: Path) -> None:
    code = (
        "import sys, time; from ludus.monitor.exporters.companion import *; "
        f"c = Companion(CompanionRequest({str(run)!r}, (), 0), print); c.start()\n"
        "while c._child is None: time.sleep(0.01)\n"
        "print(c._child.pid, flush=True); time.sleep(100)"
    )
    parent = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True)
    try:
        assert parent.stdout is not None
        child = psutil.Process(int(parent.stdout.readline()))
        parent.send_signal(signal.SIGKILL)
        parent.wait(10)
        until(lambda: not child.is_running() or child.status() == psutil.STATUS_ZOMBIE)
    finally:
        parent.kill()
        parent.communicate()


# -- around a training -----------------------------------------------------------------------------


def test_nothing_is_started_unless_asked_for(tmp_path: Path) -> None:
    request = tiny.request(tmp_path / "run")
    assert wanted(request) is None
    before = threading.active_count()
    with companion(request):
        assert threading.active_count() == before


def test_what_settings_and_options_ask_for(made: Path, tmp_path: Path) -> None:
    more = ("metrics.sinks=[tensorboard]", "metrics.prometheus_port=9000")
    request = tiny.request(tmp_path / "run", *more, "metrics.export_interval=2")
    path = str(tmp_path / "run")
    assert wanted(request) == CompanionRequest(path, ("tensorboard",), 9000, 2.0)
    assert wanted(request, 0, ("wandb",)) == CompanionRequest(
        path, ("tensorboard", "wandb"), 0, 2.0
    )
    again = tiny.request(made, *more, iterations=2)
    assert wanted(again) == CompanionRequest(str(made), ("tensorboard",), 9000, 30.0)
    assert wanted(tiny.request(made, *more, iterations=1)) is None, "there is nothing to do"


def train(path: Path, *more: str) -> tuple[subprocess.CompletedProcess, float]:
    settings = [part for text in tiny.SETTINGS for part in ("--set", text)]
    begin = time.monotonic()
    done = subprocess.run(
        tiny.command("train", "yatzy", "--run", str(path), "--iterations", "1", *settings, *more),
        env=tiny.environment(),
        stderr=subprocess.PIPE,
        text=True,
        check=False,
        timeout=120,
    )
    return done, time.monotonic() - begin


@pytest.mark.slow
def test_training_with_sinks_that_hang_is_training(
    made: Path, tmp_path: Path, libraries: Callable, silence: int
) -> None:
    """It ends done, at most the flush time later, with the same weights."""
    libraries(
        wandb=HANGING_WANDB.format(mark=str(tmp_path / "hangs")),
        braintrust=BLOCKED_BRAINTRUST.format(port=silence),
    )
    _, plain = train(tmp_path / "plain")
    sinks = ("--set", "metrics.sinks=[wandb, braintrust]", "--set", "metrics.export_interval=0.1")
    done, hung = train(tmp_path / "run", *sinks, "--metrics-port", "0")
    assert done.returncode == 0, done.stderr
    assert "metrics at http://127.0.0.1:" in done.stderr
    assert (tmp_path / "hangs").exists()
    status = read_status(tmp_path / "run")
    assert status is not None
    assert status["state"] == "done"
    assert hung < 3 * plain + 15
    assert tiny.digests(tmp_path / "run")["champion"] == tiny.digests(made)["champion"]


@pytest.mark.slow
def test_what_fails_beside_a_training_is_in_its_events(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        done, _ = train(tmp_path / "run", "--metrics-port", port)
    assert done.returncode == 0, done.stderr
    records = read_ndjson(tmp_path / "run" / "logs" / "events.ndjson")[0]
    (notice,) = [one["message"] for one in records if one["event"] == "notice"]
    assert notice.startswith("no metrics this time: port ")


@pytest.mark.slow
def test_training_feeds_tensorboard_to_its_last_record(tmp_path: Path) -> None:
    pytest.importorskip("tensorboard")
    from tests.monitor.exporters.test_tensorboard import expected, read_back, same

    done, _ = train(tmp_path / "run", "--set", "metrics.sinks=[tensorboard]")
    assert done.returncode == 0, done.stderr
    records = tmp_path / "run" / "reports" / "tensorboard" / "records"
    same(read_back(records), expected(tmp_path / "run"))
