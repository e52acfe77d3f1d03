"""P15: status.json, run.json and /metrics are never torn, whatever happens to their writer.

``status.py write RUN`` writes as fast as it can until it is killed; ``status.py read RUN COUNT``
reads with nothing of the product and prints what it found as JSON.
"""

from __future__ import annotations

import json
import secrets
import subprocess
import sys
import threading
import time
import urllib.request
from pathlib import Path
from typing import Any
from unittest import mock

from tests.durability.experiment import Budget, Outcome
from tests.durability.places import ROOT, environment

_READERS = 4


def write(run: Path) -> None:
    """Documents of all sizes; each tells how long its filler is."""
    from ludus.runs.objects import replace_file
    from ludus.runs.status import StatusWriter

    status = StatusWriter(run, run_id="x", incarnation=secrets.token_hex(6))
    number = 0
    while True:
        number += 1
        filler = "x" * (number * 7919 % 20_000)
        counters = {"games": number, "plies": number}
        document = {"state": "training", "filler": filler, "size": len(filler)}
        status.write({**document, "counters": counters})
        if number == 16:
            print("ready", flush=True)
        if number % 8 == 0:
            text = json.dumps({"number": number, "filler": filler, "size": len(filler)})
            replace_file(run / "run.json", text.encode(), durable=False)


def read(run: Path, count: int) -> dict[str, Any]:
    """Read both files so often, and look at each document."""
    wrong: list[str] = []
    newest: dict[str, int] = {}
    seen = 0
    turn, end = 0, time.monotonic() + 30.0
    # With a small budget, until there was something to be seen.
    while turn < count or (seen < 30 and time.monotonic() < end):
        turn += 1
        name = "run.json" if turn % 8 == 0 else "status.json"
        try:
            with open(run / name, "rb") as file:
                data = file.read()
            document = json.loads(data)
        except (OSError, ValueError) as error:
            wrong.append(f"{name} could not be read: {error!r}"[:200])
            continue
        if len(document["filler"]) != document["size"]:
            wrong.append(f"{name} was mixed of two documents")
        if name == "status.json":
            who, number = document["incarnation"], document["number"]
            if number < newest.get(who, 0):
                wrong.append(f"{name} went back from {newest[who]} to {number}")
            seen += number != newest.get(who)
            newest[who] = number
    return {
        "reads": turn,
        "wrong": wrong[:5],
        "failed": len(wrong),
        "different": seen,
        "writers": len(newest),
    }


class _Writers:
    """A writer that is killed again and again, and followed by the next."""

    def __init__(self, run: Path, random_numbers: Any) -> None:
        self.killed = 0
        self._run, self._random = run, random_numbers
        self.ready, self._stop = threading.Event(), threading.Event()
        self._thread = threading.Thread(target=self._work, daemon=True)
        self._thread.start()

    def _work(self) -> None:
        while not self._stop.is_set():
            writer = subprocess.Popen(
                _itself("write", str(self._run)),
                env=environment(),
                cwd=ROOT,
                stdout=subprocess.PIPE,
            )
            assert writer.stdout is not None
            with writer.stdout as said:
                said.readline()
            self.ready.set()
            self._stop.wait(self._random.random() * 0.8)
            writer.kill()
            writer.wait()
            self.killed += 1

    def stop(self) -> None:
        """No writer is left."""
        self._stop.set()
        self._thread.join()


def _scrapes(run: Path, count: int, outcome: Outcome) -> None:
    """/metrics of the run, asked for over HTTP while the writers write and die."""
    from prometheus_client.parser import text_string_to_metric_families

    from ludus.monitor.exporters import prometheus
    from ludus.monitor.exporters.server import MetricsServer

    with mock.patch.object(prometheus, "_CACHED_SECONDS", 0.0):
        server = MetricsServer(prometheus.Exporter(run).text, port=0)
        server.start()
        try:
            for _ in range(count):
                outcome.trials += 1
                with urllib.request.urlopen(server.url, timeout=30) as answer:  # noqa: S310
                    text = answer.read().decode()
                values = {
                    sample.labels.get("counter"): sample.value
                    for family in text_string_to_metric_families(text)
                    for sample in family.samples
                    if sample.name == "ludus_count"
                }
                if not text.endswith("\n") or values.get("games") != values.get("plies"):
                    outcome.fail("torn", f"/metrics told of {values}")
        finally:
            server.stop()


def run(budget: Budget) -> Outcome:
    """Four readers, and one that scrapes, over writers that are killed."""
    from tests.runs.helpers import new_run

    from ludus.runs.objects import replace_file

    outcome = Outcome("reads")
    path = budget.folder / "run"
    new_run(path).close()
    replace_file(path / "run.json", b'{"filler": "", "size": 0}', durable=False)
    first = {"number": 0, "incarnation": "x", "filler": "", "size": 0}
    replace_file(path / "status.json", json.dumps(first).encode(), durable=False)
    writers = _Writers(path, budget.random("status"))
    writers.ready.wait(120)
    count = budget.count(400_000, 8_000) // _READERS
    try:
        readers = [
            subprocess.Popen(
                _itself("read", str(path), str(count)),
                env=environment(),
                cwd=ROOT,
                stdout=subprocess.PIPE,
                text=True,
            )
            for _ in range(_READERS)
        ]
        _scrapes(path, budget.count(1_000, 20), outcome)
        answers = [reader.communicate()[0] for reader in readers]
    finally:
        writers.stop()
    different = 0
    for text in answers:
        found = json.loads(text)
        outcome.trials += found["reads"]
        different += found["different"]
        for sentence in found["wrong"]:
            outcome.fail("torn", sentence)
        outcome.failures["torn"] += found["failed"] - len(found["wrong"])
    outcome.figures |= {"writers killed": writers.killed, "different documents read": different}
    if different < 10:
        outcome.fail("other", f"only {different} documents were seen: the readers proved nothing")
    return outcome


def _itself(*words: str) -> list[str]:
    """The command of a process that writes or reads."""
    # With -m this module would be there twice, as the package imports it.
    code = "from tests.durability.inputs import status; status.main()"
    return [sys.executable, "-c", code, *words]


def main() -> None:
    """Write until killed, or read and print what was seen."""
    if sys.argv[1] == "write":
        write(Path(sys.argv[2]))
    else:
        print(json.dumps(read(Path(sys.argv[2]), int(sys.argv[3]))))
