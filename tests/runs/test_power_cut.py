"""Power cuts: a loop-mounted ext4 whose journal is stopped dead, as if the cable had been pulled.

Killing a process cannot show a missing flush: the kernel goes on. Here the file system drops
everything that was not yet in its journal. The second test removes the flushes and wants the damage
to be seen: without it the first would prove nothing.
"""

from __future__ import annotations

import os
import random
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.runs.disks import KINDS, Disk
from tests.runs.helpers import check, new_run

from ludus.errors import LudusError
from ludus.runs import Run

pytestmark = pytest.mark.slow

_WRITER = """
import os, sys
sys.path[:0] = sys.argv[4:]
if sys.argv[3] == "broken":
    os.fsync = lambda descriptor: None
from tests.runs.disks import KINDS, Disk
from tests.runs.helpers import commit
from ludus.runs import Run
with Run.open(sys.argv[1], write=True) as run, open(sys.argv[2], "a", buffering=1) as acks:
    while True:
        number = len(run.iterations)
        commit(run, number)
        acks.write(f"{number}\\n")
"""


@pytest.fixture
def disk(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Disk]:
    if KINDS[0].missing is not None:
        pytest.skip(KINDS[0].missing)
    try:
        made = Disk(tmp_path_factory.mktemp("power"))
    except subprocess.CalledProcessError as error:
        pytest.skip(f"no loop mounts here: {error}")
    yield made
    made.remove()


def cut_and_look(disk: Disk, acks: Path, kind: str, rng: random.Random, idle: bool) -> int:
    """One power cut under a writing process; returns the last acknowledged commit."""
    root = Path(__file__).parents[2]
    acks.unlink(missing_ok=True)
    child = subprocess.Popen(
        [sys.executable, "-c", _WRITER, disk.path / "run", acks, kind, root / "src", root],
        stderr=subprocess.DEVNULL,  # it sees the disk vanish
    )
    deadline = time.monotonic() + 30
    while not acks.exists() or acks.read_text().count("\n") < 2:
        assert child.poll() is None
        assert time.monotonic() < deadline
        time.sleep(0.005)
    time.sleep(rng.random() * 0.2)
    if idle:  # nobody else's flush may carry what was acknowledged
        child.send_signal(signal.SIGSTOP)
        time.sleep(0.02)
    disk.cut()
    child.kill()
    child.wait()
    disk.unmount()
    disk.mount()
    return int(acks.read_text().split("\n")[-2])


def test_power_cuts_lose_no_acknowledged_commit(disk: Disk, tmp_path: Path) -> None:
    rng = random.Random(11)
    new_run(disk.path / "run").close()
    for round_ in range(12):
        last = cut_and_look(disk, tmp_path / "acks", "right", rng, idle=round_ % 2 == 0)
        with Run.open(disk.path / "run", write=True) as run:
            number = int(run.manifest.progress["number"])
            assert number in (last, last + 1)
            check(run, number)
            assert not [notice for notice in run.notices if "FALLBACK" in notice]


def test_without_flushes_the_same_cuts_do_damage(disk: Disk, tmp_path: Path) -> None:
    rng = random.Random(11)
    damaged = 0
    for round_ in range(4):
        shutil.rmtree(disk.path / "run", ignore_errors=True)
        new_run(disk.path / "run").close()
        os.sync()
        last = cut_and_look(disk, tmp_path / "acks", "broken", rng, idle=round_ % 2 == 0)
        try:
            with Run.open(disk.path / "run", write=True) as run:
                damaged += run.fresh or int(run.manifest.progress["number"]) < last
        except LudusError:
            damaged += 1
    assert damaged > 0
