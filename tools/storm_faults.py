"""The faults of tools/fault_storm.py: how each is thrown, and what ends it."""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import socket
import subprocess
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

SITE = '''
"""Poison for one trainer, put on its path by tools/fault_storm.py; nothing else loads this."""
import os, sys, time

if any("ludus.training.trainer" in word for word in sys.orig_argv):
    FLAGS = os.environ["LUDUS_STORM_FLAGS"]
    real, real_ns = time.time, time.time_ns

    def offset():
        try:
            with open(os.path.join(FLAGS, "clock")) as file:
                return float(file.read() or 0)
        except (OSError, ValueError):
            return 0.0

    time.time = lambda: real() + offset()
    time.time_ns = lambda: real_ns() + int(offset() * 1e9)

    class Finder:
        """Wraps one method of the learner as soon as its module has been loaded."""

        def find_spec(self, name, path=None, target=None):
            if name != "ludus.learners.alphazero":
                return None
            sys.meta_path.remove(self)
            import importlib.util
            spec = importlib.util.find_spec(name)
            run = spec.loader.exec_module

            def exec_module(module):
                run(module)
                step = module.AlphaZeroLearner.step

                def poisoned(self, *args, **options):
                    flag = os.path.join(FLAGS, "poison")
                    if os.path.exists(flag):
                        os.rename(flag, flag + ".taken")
                        with __import__("torch").no_grad():
                            next(iter(self.net.parameters())).reshape(-1)[0] = float("nan")
                    return step(self, *args, **options)

                module.AlphaZeroLearner.step = poisoned

            spec.loader.exec_module = exec_module
            return spec

    sys.meta_path.insert(0, Finder())
'''
"""A ``sitecustomize`` that makes a weight of the trainer NaN, or moves its clock, when told to."""


class Sink:
    """A listener that answers, or accepts and never reads: where webhooks go."""

    def __init__(self) -> None:
        """Listen on a free port."""
        self.hanging = False
        self.answered = self.held = 0
        self._socket = socket.create_server(("127.0.0.1", 0))
        self.port = int(self._socket.getsockname()[1])
        self._kept: list[socket.socket] = []
        threading.Thread(target=self._serve, daemon=True).start()

    def _serve(self) -> None:
        while True:
            try:
                connection, _ = self._socket.accept()
            except OSError:
                return
            if self.hanging:
                self.held += 1
                self._kept.append(connection)
                continue
            threading.Thread(target=self._answer, args=(connection,), daemon=True).start()

    def _answer(self, connection: socket.socket) -> None:
        with contextlib.suppress(OSError), connection:
            connection.settimeout(2.0)
            connection.recv(65536)
            connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")
            self.answered += 1

    def free(self) -> None:
        """Let everything go that was held."""
        self.hanging = False
        for connection in self._kept:
            connection.close()
        self._kept.clear()


@dataclass
class Place:
    """Where the storm happens.

    Attributes:
        run: the run directory.
        flags: folder that the poison looks at.
        supervisor: process id of ``ludus train``.
        mounted: whether ``run`` lies on a file system of its own that may be filled.
        floor_mb: below which Ludus pauses.
        sink: where alerts go.
        prometheus: port of the trainer's metrics.
        hold: seconds for which disk, sink and clock stay spoiled.
        stop: ends waits when the training has ended.
    """

    run: Path
    flags: Path
    supervisor: int
    mounted: bool
    floor_mb: int
    sink: Sink
    prometheus: int
    hold: float
    stop: threading.Event = field(default_factory=threading.Event)

    def trainer(self) -> int | None:
        """The process that trains now."""
        try:
            text = Path(f"/proc/{self.supervisor}/task/{self.supervisor}/children").read_text()
        except OSError:
            return None
        for word in text.split():
            with contextlib.suppress(OSError):
                if b"ludus.training.trainer" in Path(f"/proc/{word}/cmdline").read_bytes():
                    return int(word)
        return None


def _signal(place: Place, number: signal.Signals) -> str | None:
    trainer = place.trainer()
    if trainer is None:
        return "there was no trainer at that moment"
    os.kill(trainer, number)
    return None


def kill(place: Place) -> str | None:
    """The trainer dies at once."""
    return _signal(place, signal.SIGKILL)


def stop(place: Place) -> str | None:
    """The trainer stands still for ever; only a watchdog notices."""
    return _signal(place, signal.SIGSTOP)


def fill_disk(place: Place) -> str | None:
    """A large file takes the space to under the floor, and goes again."""
    if not place.mounted:
        return "the run is on no file system of its own (needs root and mount)"
    ballast = place.run.parent / "ballast"
    spare = (shutil.disk_usage(place.run).free >> 20) - place.floor_mb + 64
    try:
        with ballast.open("wb") as file:
            os.posix_fallocate(file.fileno(), 0, max(1, spare) << 20)
        place.stop.wait(place.hold)
    except OSError as error:
        return f"the disk could not be filled: {error.strerror}"
    finally:
        ballast.unlink(missing_ok=True)
    return None


def poison(place: Place) -> str | None:
    """A weight becomes NaN in the middle of the training."""
    flag = place.flags / "poison"
    flag.touch()
    deadline = time.monotonic() + 120
    while flag.exists() and time.monotonic() < deadline and not place.stop.is_set():
        time.sleep(0.05)
    if flag.exists():
        flag.unlink()
        return "no update of the network came within 120 s"
    return None


def hang_sink(place: Place) -> str | None:
    """Whoever should take alerts accepts and never answers."""
    place.sink.held = 0
    place.sink.hanging = True
    deadline = time.monotonic() + 90
    while not place.sink.held and time.monotonic() < deadline and not place.stop.is_set():
        time.sleep(0.1)
    if place.sink.held:
        place.stop.wait(place.hold)
    held = place.sink.held
    place.sink.free()
    return None if held else "nothing was sent to the sink meanwhile"


def stuck_metrics(place: Place) -> str | None:
    """Readers of the metrics port ask and never read."""
    kept = []
    try:
        for _ in range(20):
            connection = socket.create_connection(("127.0.0.1", place.prometheus), 1.0)
            connection.sendall(b"GET /metrics HTTP/1.1\r\nHost: here\r\n")
            kept.append(connection)
        place.stop.wait(place.hold)
    except OSError:
        return "nothing listens on the metrics port"
    finally:
        for connection in kept:
            connection.close()
    return None


def move_clock(place: Place) -> str | None:
    """The trainer's wall clock is an hour ahead, then right again."""
    clock = place.flags / "clock"
    clock.write_text("3600")
    place.stop.wait(place.hold)
    clock.write_text("-3600")
    place.stop.wait(place.hold / 2)
    clock.unlink()
    return None


@dataclass(frozen=True)
class Fault:
    """One way to go wrong.

    Attributes:
        name: in tables.
        throw: does it and returns when it is over; the answer says why it could not be done.
        restarts: whether the supervisor has to start another trainer: at most 5 times an hour.
        told: events of which one must tell of it; empty where nothing needs to.
    """

    name: str
    throw: Callable[[Place], str | None]
    restarts: bool = False
    told: tuple[str, ...] = ()


FAULTS = (
    Fault("kill", kill, True, ("restarted", "resume")),
    Fault("stop", stop, True, ("restarted", "resume")),
    Fault("disk", fill_disk, False, ("guard_paused", "save_failed")),
    Fault("nan", poison, True, ("divergence", "returned_to_good", "restarted", "failed")),
    Fault("sink", hang_sink, False, ("notice",)),
    Fault("metrics", stuck_metrics, False, ()),
    Fault("clock", move_clock, False, ("clock",)),
)


def make_disk(work: Path, megabytes: int) -> tuple[Path, bool]:
    """A folder for the run, on a file system of its own where root may mount one."""
    folder = work / "disk"
    folder.mkdir()
    if os.geteuid() != 0 or shutil.which("mkfs.ext4") is None:
        return folder, False
    image = work / "disk.img"
    with image.open("wb") as file:
        file.truncate(megabytes << 20)
    made = subprocess.run(["mkfs.ext4", "-q", "-m", "0", str(image)], capture_output=True)
    if made.returncode:
        return folder, False
    mounted = subprocess.run(["mount", "-o", "loop", str(image), str(folder)], capture_output=True)
    return folder, mounted.returncode == 0
