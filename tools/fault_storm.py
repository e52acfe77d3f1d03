"""Trains while everything goes wrong, and checks that nothing acknowledged was lost.

    python tools/fault_storm.py --minutes 30 --interval 60 --seed 1 [--run DIR] [--faults kill,disk]

Starts ``ludus train``, throws a fault every interval in an order shuffled by the seed, and waits
until the training is back at work before the next one. Afterwards: exit code 0, every commit
that was seen is an ancestor of the last one, all objects verify, games are unique and complete,
champions are stored, nobody gave a command, and the events and reports tell of each fault.

As root the run lies on a small loop-mounted disk that can be filled. The clock is moved for the
trainer's Python only, and NaN gets into its weights by a ``sitecustomize`` on its path: the product
has no hooks for tests. Ends with 1 when something is wrong.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import shutil
import socket
import subprocess
import sys
import tempfile
import threading
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "src"))

from storm_faults import FAULTS, SITE, Fault, Place, Sink, make_disk
from storm_watch import Watcher, events_of, report_text, told_in, verify

_QUIET = ("commit", "ended", "gate_summary", "checkpoint_saved", "run_created")


@dataclass
class Thrown:
    """A fault that was thrown.

    Attributes:
        name: of the fault.
        at: seconds after the start.
        wall: the same moment, milliseconds since 1970.
        skipped: why it was not done.
        back: seconds until work went on after it was over; None if it never did.
        caught_up: seconds until all that had been done was done again.
        reaction: events in between.
        told: whether an event tells of it; ``reported`` whether a report does.
    """

    name: str
    at: float
    wall: float
    skipped: str | None = None
    back: float | None = None
    caught_up: float | None = None
    reaction: list[str] = field(default_factory=list)
    told: bool | None = None
    reported: bool | None = None


def arguments() -> argparse.Namespace:
    """What was asked for."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--recipe", default="yatzy")
    parser.add_argument("--minutes", type=float, default=30.0)
    parser.add_argument("--interval", type=float, default=60.0, help="seconds between faults")
    parser.add_argument("--seed", type=int, default=1, help="of the order of faults")
    parser.add_argument("--run", type=Path, help="copy the run to this new folder at the end")
    parser.add_argument("--faults", default=",".join(fault.name for fault in FAULTS))
    parser.add_argument(
        "--restarts", type=int, default=5, help="most faults that need a restart (Ludus: 5 an hour)"
    )
    parser.add_argument("--most", default="nan=1", help="most of some, as in nan=1,kill=2")
    parser.add_argument("--hold", type=float, default=20.0, help="seconds that a fault lasts")
    parser.add_argument("--disk-mb", type=int, default=2048)
    parser.add_argument("--patience", type=float, default=180.0, help="seconds until work goes on")
    parser.add_argument("--json", type=Path, help="write the result here")
    parser.add_argument("--keep", action="store_true", help="leave the working folder")
    parser.add_argument("set", nargs="*", help="further settings: section.key=value")
    return parser.parse_args()


class Storm:
    """One training in a storm."""

    def __init__(self, asked: argparse.Namespace) -> None:
        """Make the places and start the training."""
        self.asked = asked
        self.faults = self.order()
        self.work = Path(tempfile.mkdtemp(prefix="ludus-storm-"))
        folder, mounted = make_disk(self.work, asked.disk_mb)
        self.mounted = mounted
        self.run = folder / "run"
        flags, site = self.work / "flags", self.work / "site"
        flags.mkdir()
        site.mkdir()
        (site / "sitecustomize.py").write_text(SITE)
        self.sink = Sink()
        self.said: list[tuple[float, str]] = []
        self.thrown: list[Thrown] = []
        floor, port = 256, _free_port()
        # Rules that fire and clear in every iteration, so that something is sent to the sink.
        rules = [
            {"name": f"storm_{name}", "metric": name, "condition": "above", "limit": 0}
            for name in ("games_per_second", "steps_per_second")
        ]
        settings = [
            f"run.floor_free_mb={floor}",
            f"run.warn_free_mb={floor + 64}",
            "run.commit_seconds=10",
            f"alerts.webhook=http://127.0.0.1:{self.sink.port}/",
            "alerts.timeout_seconds=2",
            "alerts.every_seconds=1",
            f"alerts.rules={json.dumps(rules)}",
            f"metrics.prometheus_port={port}",
            *asked.set,
        ]
        options = [part for one in settings for part in ("--set", one)]
        path = os.pathsep.join(
            filter(None, [str(site), str(Path(__file__).resolve().parents[1] / "src"),
                          os.environ.get("PYTHONPATH")])
        )  # fmt: skip
        self.begun = time.monotonic()
        self.process = subprocess.Popen(
            [sys.executable, "-m", "ludus.cli", "train", asked.recipe, "--run", str(self.run),
             "--minutes", str(asked.minutes), *options],
            env={**os.environ, "PYTHONPATH": path, "LUDUS_STORM_FLAGS": str(flags)},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
        )  # fmt: skip
        threading.Thread(target=self._hear, daemon=True).start()
        self.watcher = Watcher(self.run)
        self.place = Place(
            self.run, flags, self.process.pid, mounted, floor, self.sink, port, asked.hold
        )

    def _hear(self) -> None:
        assert self.process.stderr is not None
        for line in self.process.stderr:
            self.said.append((time.monotonic() - self.begun, line.rstrip()))
            if line.startswith("ludus:"):
                self.tell(line.rstrip())

    def tell(self, text: str) -> None:
        """A line with the time."""
        print(f"{time.monotonic() - self.begun:7.1f} s  {text}", flush=True)

    @property
    def over(self) -> bool:
        """Whether the training has ended."""
        return self.process.poll() is not None

    def order(self) -> list[Fault]:
        """Faults to come, more than enough: shuffled rounds of all that were asked for."""
        names = list(filter(None, self.asked.faults.split(",")))
        known = {fault.name: fault for fault in FAULTS}
        unknown = [name for name in names if name not in known]
        if unknown:
            sys.exit(f"no fault is called {unknown[0]!r}; there are {', '.join(known)}")
        most = {}
        for part in filter(None, self.asked.most.split(",")):
            name, equals, number = part.partition("=")
            if name not in known or not equals or not number.isdecimal():
                sys.exit(f"--most {part} must be FAULT=NUMBER, such as nan=1")
            most[name] = int(number)
        rng, found, restarts = random.Random(self.asked.seed), [], 0
        for _ in range(1000):
            for fault in rng.sample([known[name] for name in names], len(names)):
                if fault.restarts and restarts >= self.asked.restarts:
                    continue
                if most.get(fault.name, 1000) < 1:
                    continue
                most[fault.name] = most.get(fault.name, 1000) - 1
                restarts += fault.restarts
                found.append(fault)
        return found

    def weather(self) -> None:
        """Throw faults until the training has ended."""
        while not self.watcher.manifests and not self.over:
            time.sleep(0.1)
        faults = iter(self.faults)
        due = time.monotonic() + self.asked.interval
        while not self.over:
            if time.monotonic() < due:
                time.sleep(0.1)
                continue
            left = 60 * self.asked.minutes - (time.monotonic() - self.begun)
            if left < 2 * self.asked.hold + 30:
                time.sleep(0.1)  # the last fault must have time to be mended
                continue
            due = time.monotonic() + self.asked.interval
            fault = next(faults, None)
            if fault is not None:
                self.throw(fault)
        self.place.stop.set()
        self.watcher.close()

    def throw(self, fault: Fault) -> None:
        """One fault, until the training is at work again."""
        found = Thrown(fault.name, time.monotonic() - self.begun, time.time() * 1000)
        self.thrown.append(found)
        before = self.watcher.work()
        self.tell(f"fault {fault.name}")
        begun = time.monotonic()
        found.skipped = fault.throw(self.place)
        # Faults that last are over now; the others have just begun.
        over = time.monotonic() if fault.name in ("disk", "sink", "metrics", "clock") else begun
        if found.skipped:
            self.tell(f"  not done: {found.skipped}")
            return
        start, deadline = over + 0.3, over + self.asked.patience
        while time.monotonic() < deadline and not self.over:
            if found.back is None and self.watcher.moved > start:
                found.back = self.watcher.moved - over
            if found.back is not None and self.watcher.caught_up(before):
                found.caught_up = time.monotonic() - over
                self.tell(
                    f"  back after {found.back:.1f} s, all redone after {found.caught_up:.1f} s"
                )
                return
            time.sleep(0.05)

    def judge(self) -> dict[str, Any]:
        """What came of it."""
        code = self.process.wait()
        try:
            wrong, figures = verify(self.run, self.watcher)
        except Exception as error:  # noqa: BLE001 - a broken run must give a result too
            wrong, figures = [f"the run cannot be verified: {error}"], {}
        if code != 0:
            wrong.append(f"the training ended with {code}: {self.said[-1][1] if self.said else ''}")
        events, text = events_of(self.run), report_text(self.run)
        if any(event.get("event") == "command" for event in events):
            wrong.append("somebody gave a command")
        known = {fault.name: fault for fault in FAULTS}
        for number, one in enumerate(self.thrown):
            if one.skipped:
                continue
            if one.back is None:
                wrong.append(f"after the {one.name} at {one.at:.0f} s no work went on")
            later = [other.wall for other in self.thrown[number + 1 :]]
            end = later[0] if later else float("inf")
            # The clock of the trainer may be an hour off while it is moved.
            mine = [e for e in events if one.wall - 1000 <= (e.get("ts_ms") or 0) < end]
            names = [str(e.get("event")) for e in mine]
            one.reaction = list(dict.fromkeys(name for name in names if name not in _QUIET))
            wanted = [e for e in mine if e.get("event") in known[one.name].told]
            if known[one.name].told:
                one.told = bool(wanted)
                one.reported = any(told_in(text, event) for event in wanted)
                if not one.told:
                    wrong.append(f"no event tells of the {one.name} at {one.at:.0f} s")
                elif not one.reported:
                    wrong.append(f"no report tells of the {one.name} at {one.at:.0f} s")
        return {
            "code": code,
            "minutes": (time.monotonic() - self.begun) / 60,
            "figures": figures,
            "faults": [vars(one) for one in self.thrown],
            "wrong": wrong,
        }

    def close(self) -> None:
        """End what is left, copy the run if asked, unmount."""
        if not self.over:
            self.process.kill()
            self.process.wait()
        if self.asked.run is not None and self.run.is_dir():
            shutil.copytree(self.run, self.asked.run)
        if self.mounted:
            subprocess.run(["umount", str(self.run.parent)], check=False)
        if not self.asked.keep:
            shutil.rmtree(self.work, ignore_errors=True)
        else:
            print(f"kept in {self.work}")


def _free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as free:
        return int(free.getsockname()[1])


def show(result: dict[str, Any]) -> None:
    """The table, and what is wrong."""
    print(
        f"\n{'at':>7}  {'fault':<8} {'back at work':>13} {'all redone':>11}  {'told':<5} reaction"
    )
    for one in result["faults"]:
        if one["skipped"]:
            print(f"{one['at']:6.0f}s  {one['name']:<8} not done: {one['skipped']}")
            continue
        back, done = (
            "never" if one[key] is None else f"{one[key]:.1f} s" for key in ("back", "caught_up")
        )
        told = {None: "-", True: "yes", False: "NO"}[one["told"]]
        reaction = ", ".join(one["reaction"]) or "none needed"
        print(f"{one['at']:6.0f}s  {one['name']:<8} {back:>13} {done:>11}  {told:<5} {reaction}")
    print(
        f"\nended with {result['code']} after {result['minutes']:.1f} minutes; {result['figures']}"
    )
    for sentence in result["wrong"]:
        print(f"WRONG: {sentence}")
    if not result["wrong"]:
        print("nothing acknowledged was lost")


def main() -> int:
    """Raise the storm; 1 when something is wrong."""
    asked = arguments()
    if asked.run is not None and asked.run.exists():
        sys.exit(f"{asked.run} exists: name a new folder")
    storm = Storm(asked)
    try:
        storm.weather()
        result = storm.judge()
    finally:
        storm.close()
    show(result)
    if asked.json is not None:
        asked.json.write_text(json.dumps(result, indent=1))
    return 1 if result["wrong"] else 0


if __name__ == "__main__":
    sys.exit(main())
