"""P7, P8: caches keep to their caps, and a run in too small a memory loses nothing."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from tests.durability.experiment import Budget, Outcome
from tests.durability.places import environment
from tests.durability.processes.trainings import PATTERNS, Command, newest, othello

from ludus.errors import LudusError
from ludus.learners.td import TdLearner
from ludus.runs import Run, read_manifest
from ludus.training.request import TrainRequest
from ludus.training.settings import Settings
from ludus.training.tables.session import options_of

_GROUPS = Path("/sys/fs/cgroup/memory")
_MB = 2**20
_SLACK = 0.05
"""Share by which a cap may be passed."""


def groups_missing() -> str | None:
    """What is missing for limits of memory."""
    if not (_GROUPS / "memory.limit_in_bytes").exists():
        return "there is no control group of memory, version 1"
    return None if os.access(_GROUPS, os.W_OK) else "control groups need root"


@contextmanager
def limited(megabytes: int) -> Iterator[Path]:
    """A control group with so much memory; all that is left in it is killed at the end."""
    group = _GROUPS / f"ludus-durability-{os.getpid()}-{megabytes}"
    group.mkdir()
    try:
        (group / "memory.limit_in_bytes").write_text(str(megabytes * _MB))
        with suppress(OSError):  # where swap is not accounted for
            (group / "memory.memsw.limit_in_bytes").write_text(str(megabytes * _MB))
        yield group
    finally:
        for _ in range(200):
            pids = (group / "cgroup.procs").read_text().split()
            for pid in pids:
                with suppress(ProcessLookupError):
                    os.kill(int(pid), 9)
            if not pids:
                break
            time.sleep(0.02)
        group.rmdir()


_INSIDE = "import os, sys; open(sys.argv[1], 'w').write('0'); os.execvp(sys.argv[2], sys.argv[2:])"


def in_too_little(budget: Budget, megabytes: int, outcome: Outcome) -> str:
    """Make a run, train on in so much memory, look at what is left; returns how it ended."""
    recipe = othello(budget.folder, games=20_000)
    run = budget.folder / f"limited{megabytes}"
    with limited(megabytes) as group:
        before = (sys.executable, "-c", _INSIDE, str(group / "cgroup.procs"))
        words = recipe.words(run, "runtime.lanes=1")
        command = Command(words, run.with_suffix(".said"), before=before, report=False)
        try:
            command.process.wait(timeout=240)
        except subprocess.TimeoutExpired:
            outcome.fail("other", f"{megabytes} MB: it neither ends nor gets on")
            return "stuck"
        finally:
            command.end()
    outcome.trials += 1
    code, said, seen = command.process.returncode, command.text(), newest(run)
    if code not in (0, -9) and "ludus:" not in said and "MemoryError" not in said:
        outcome.fail("other", f"{megabytes} MB: it ended with {code} and said {said!r}")
    if seen:
        manifest = read_manifest(run / "manifests" / f"{seen:06d}.json")
        try:
            with Run.open(run, write=True) as opened:
                bad = [text for text in opened.notices if "FALLBACK" in text]
                if bad or opened.manifest != manifest:
                    outcome.fail("lost", f"{megabytes} MB: commit {seen} was made, {bad}")
        except LudusError as error:
            outcome.fail("torn", f"{megabytes} MB: {error}")
    return "trains" if code == 0 else f"ends with {code}"


_PLAYS = """
import sys
from pathlib import Path
from tests.durability.processes.memory import play
print(*play(Path(sys.argv[1]), int(sys.argv[2])))
"""


def play(patterns: Path, table_mb: int) -> tuple[int, int]:
    """Search with two lanes and tables of that size; peak memory, and what the learner tells."""
    asked = TrainRequest.make(
        "othello",
        run=patterns.with_suffix(".run"),
        assignments=(
            f"td.patterns={patterns}",
            "td.batch_games=4",
            "td.average_every=0",
            "td.depth=6",
            "td.endgame=6",
            f"td.table_mb={table_mb}",
        ),
        environment={},
    )
    options = options_of(Settings.model_validate(asked.settings))
    learner = TdLearner(options, 1)
    learner.train(8, threads=2)
    with open("/proc/self/status") as lines:
        peak = next(1024 * int(line.split()[1]) for line in lines if line.startswith("VmHWM"))
    return peak, learner.memory()["transposition_tables"]


def caps(budget: Budget, outcome: Outcome) -> None:
    """Peaks of two sizes of transposition tables differ by no more than the sizes do."""
    patterns = budget.folder / "patterns.txt"
    patterns.write_text(PATTERNS)
    peaks: list[int] = []
    sizes = (1, 65)
    for size in sizes:
        done = subprocess.run(
            [sys.executable, "-c", _PLAYS, str(patterns), str(size)],
            env=environment(),
            capture_output=True,
            text=True,
            check=True,
        )
        peak, told = map(int, done.stdout.split())
        peaks.append(peak)
        if told > 2 * size * _MB:
            outcome.fail("other", f"tables of {size} MB on two lanes are said to take {told} bytes")
    outcome.trials += 1
    more, allowed = peaks[1] - peaks[0], 2 * (sizes[1] - sizes[0]) * _MB
    outcome.figures["of 128 MB more for tables were used, MB"] = round(more / _MB, 1)
    if more > allowed * (1 + _SLACK) + 8 * _MB:
        outcome.fail("other", f"{allowed // _MB} MB more for tables took {more // _MB} MB more")


def memory(budget: Budget) -> Outcome:
    """Caps, and trainings in limits from too small to enough."""
    outcome = Outcome("limits")
    caps(budget, outcome)
    missing = groups_missing()
    if missing is not None:
        outcome.skipped.append(missing)
        return outcome
    limits = (70, 24, 48, 100, 140, 36, 60, 84, 120, 200)[: budget.count(10)]
    for megabytes in limits:
        outcome.figures[f"with {megabytes} MB it"] = in_too_little(budget, megabytes, outcome)
    return outcome
